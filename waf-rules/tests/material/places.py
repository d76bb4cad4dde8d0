"""Writes `places.mmdb` beside itself: documentation networks (RFC 5737, RFC 3849) with invented places.

An independent writer makes it, PyPI's `mmdb-writer`:
    pip install mmdb-writer==0.2.7 && python places.py
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from mmdb_writer import MmdbF64 as Degrees
from mmdb_writer import MmdbF32 as ShortDegrees
from mmdb_writer import MmdbU16 as Number
from mmdb_writer import MmdbU32 as LongNumber
from netaddr import IPSet


def named(text, **more):
    return {**more, "names": {"de": f"({text})", "en": text}}


SAN_DIEGO = {
    "city": named("San Diego"),
    "continent": named("North America", code="NA"),
    "country": named("United States", iso_code="US"),
    "location": {"latitude": Degrees(32.7203), "longitude": Degrees(-117.1552), "metro_code": Number(825)},
    "postal": {"code": "92101"},
    "subdivisions": [named("California", iso_code="CA")],
}
# As in other makers' databases: a subdivision without a code, and other types of numbers.
REYKJAVIK = {
    "city": named("Reykjavík"),
    "continent": named("Europe", code="EU"),
    "country": named("Iceland", iso_code="IS"),
    "location": {
        "latitude": ShortDegrees(64.125),
        "longitude": ShortDegrees(-21.75),
        "metro_code": LongNumber(70000),
    },
    "subdivisions": [named("Capital Region")],
}
# As in a Country database.
JAPAN = {
    "continent": named("Asia", code="AS"),
    "country": named("Japan", iso_code="JP"),
}
# No country has the code, and nothing has the type that it should.
ODD = {
    "city": "a text",
    "country": {"iso_code": "ZZ"},
    "location": {"latitude": "north", "metro_code": "12"},
    "postal": [1],
}

writer = MMDBWriter(6, "Yett-Test-City", languages=["de", "en"], ipv4_compatible=True, description="invented places")
for network, place in [
    ("192.0.2.0/25", SAN_DIEGO),
    ("198.51.100.0/24", REYKJAVIK),
    ("203.0.113.7/32", ODD),
    ("2001:db8:1::/48", JAPAN),
    ("2001:db8:2::/48", SAN_DIEGO),
]:
    writer.insert_network(IPSet([network]), place)
writer.to_db_file(str(Path(__file__).with_name("places.mmdb")))
