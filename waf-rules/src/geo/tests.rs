//! The database of `tests/material/places.py`, whole and broken.

use super::*;

/// Below the package, whose tests cargo runs in its folder.
const DATABASE: &str = "tests/material/places.mmdb";

fn fixture() -> Vec<u8> {
    std::fs::read(DATABASE).unwrap()
}

fn parse(bytes: Vec<u8>) -> Result<Database, String> {
    Database::parse(bytes, [0; 20])
}

/// Every field that is there, `NAME=text`.
fn shown(database: &Database, address: &str) -> Option<Vec<String>> {
    let place = database.place(address.parse().unwrap())?;
    let fields = FIELDS.iter().filter_map(|field| {
        let mut text = Vec::new();
        let there = field.write(&place, &mut text);
        there.then(|| format!("{}={}", field.name, String::from_utf8(text).unwrap()))
    });
    Some(fields.collect())
}

const SAN_DIEGO: &[&str] = &[
    "COUNTRY_CODE=US",
    "COUNTRY_CODE3=USA",
    "COUNTRY_NAME=United States",
    "COUNTRY_CONTINENT=NA",
    "REGION=CA",
    "CITY=San Diego",
    "POSTAL_CODE=92101",
    "LATITUDE=32.720300",
    "LONGITUDE=-117.155200",
    "DMA_CODE=825",
];
const REYKJAVIK: &[&str] = &[
    "COUNTRY_CODE=IS",
    "COUNTRY_CODE3=ISL",
    "COUNTRY_NAME=Iceland",
    "COUNTRY_CONTINENT=EU",
    "REGION=Capital Region",
    "CITY=Reykjavík",
    // Saved in four bytes each.
    "LATITUDE=64.125000",
    "LONGITUDE=-21.750000",
    "DMA_CODE=70000",
];
const JAPAN: &[&str] =
    &["COUNTRY_CODE=JP", "COUNTRY_CODE3=JPN", "COUNTRY_NAME=Japan", "COUNTRY_CONTINENT=AS"];

#[test]
fn places_are_shown_field_by_field() {
    let database = parse(fixture()).unwrap();
    for (address, expected) in [
        ("192.0.2.0", Some(SAN_DIEGO)),
        ("192.0.2.127", Some(SAN_DIEGO)),
        ("192.0.2.128", None),
        ("::ffff:192.0.2.1", Some(SAN_DIEGO)),
        ("198.51.100.9", Some(REYKJAVIK)),
        ("2001:db8:1::", Some(JAPAN)),
        ("2001:db8:1:ffff::1", Some(JAPAN)),
        ("2001:db8:2::1", Some(SAN_DIEGO)),
        ("2001:db8:3::1", None),
        ("::1", None),
        // Nothing in its record is of the type it should be, and no country has the code.
        ("203.0.113.7", Some(&["COUNTRY_CODE=ZZ"])),
        ("203.0.113.8", None),
        ("0.0.0.0", None),
        ("255.255.255.255", None),
    ] {
        let expected = expected.map(|fields| fields.iter().map(ToString::to_string).collect());
        assert_eq!(shown(&database, address), expected, "{address}");
    }
}

#[test]
fn codes_of_countries_are_sorted_and_whole() {
    let rows: Vec<&str> = include_str!("countries.txt").lines().collect();
    assert_eq!(rows.len(), 250);
    assert!(rows.is_sorted() && rows.iter().all(|row| row.len() == 6 && row.is_ascii()));
}

#[test]
fn files_that_are_no_database_of_places_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Database::read(&path).unwrap_err()
    };
    let whole = fixture();
    let no_metadata = "invalid database: could not find MaxMind DB metadata in file, expected a \
                       MaxMind DB (.mmdb) like GeoLite2-City or GeoLite2-Country";
    assert_eq!(refused("empty.mmdb", b""), no_metadata);
    assert_eq!(refused("short.mmdb", &whole[..whole.len() / 2]), no_metadata);
    assert_eq!(
        refused("GeoIP.dat", b"\xff\xff\xff\x01"),
        format!("a .dat file of GeoIP Legacy is not read: {no_metadata}")
    );
    // The tree is cut away, the metadata is there.
    let metadata = memchr::memmem::rfind(&whole, b"\xab\xcd\xefMaxMind.com").unwrap();
    assert!(refused("tail.mmdb", &whole[metadata..]).contains("search tree"));
    let owners = replaced(
        &whole,
        &[b"country", b"continent", b"city", b"subdivisions", b"postal", b"location"],
    );
    assert_eq!(
        refused("owners.mmdb", &owners),
        "`Yett-Test-City` has nothing that GEO shows in its first 10000 networks, expected a \
         MaxMind DB (.mmdb) like GeoLite2-City or GeoLite2-Country"
    );
    assert!(Database::read(&folder.path().join("none.mmdb")).unwrap_err().contains("No such file"));
    assert!(Database::read(folder.path()).is_err());
}

/// A copy in which these keys are called otherwise.
fn replaced(bytes: &[u8], keys: &[&[u8]]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for key in keys {
        while let Some(at) = memchr::memmem::find(&bytes, key) {
            bytes[at] = b'_';
        }
    }
    bytes
}

#[test]
fn a_file_beyond_the_bound_is_not_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // A hole: it takes no room on the disk.
    file.as_file().set_len(DATABASE_BYTES_MAX + 1).unwrap();
    let error = Database::read(file.path()).unwrap_err();
    assert!(error.starts_with("file has 268435457 bytes, bound 268435456"), "{error}");
}

#[test]
fn the_same_content_is_in_memory_once() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.mmdb");
    std::fs::copy(DATABASE, &copy).unwrap();
    let (one, other) =
        (Database::read(Path::new(DATABASE)).unwrap(), Database::read(&copy).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
}

/// Whatever a byte is changed to: refused, or looked up without harm.
#[test]
fn broken_databases_do_no_harm() {
    let whole = fixture();
    let addresses =
        ["192.0.2.1", "198.51.100.9", "203.0.113.7", "2001:db8:1::1", "2001:db8:2::1", "ff::"];
    let mut read = 0;
    for at in 0..whole.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut broken = whole.clone();
            broken[at] ^= mask;
            let Ok(database) = parse(broken) else { continue };
            read += 1;
            for address in addresses {
                let fields = shown_bytes(&database, address.parse().unwrap());
                assert!(fields < FIELDS.len() * 1_024, "{at} {mask}");
            }
        }
    }
    assert!(read > whole.len());
    for length in 0..whole.len() {
        assert!(parse(whole[..length].to_vec()).is_err() || length > whole.len() - 100, "{length}");
    }
}

fn shown_bytes(database: &Database, address: IpAddr) -> usize {
    let Some(place) = database.place(address) else { return 0 };
    let mut text = Vec::new();
    for field in FIELDS {
        field.write(&place, &mut text);
    }
    text.len()
}
