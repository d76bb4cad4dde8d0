#!/usr/bin/env python3
"""Resident memory of Yett: idle with one route, idle with 10,000, after reloads of those, and under a flood of what
clients can make up.

    benches/memory.py --yett target/release/yett

The flood sends requests with a path, a token, a client address and a field name that were never seen before. Memory is
read after each wave of the same size: it may grow while tables fill up to their bounds, and must then stay. Only the
standard library is used, and openssl for a key.
"""

import argparse
import http.client
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "proxy"))
from compare import HOST, Failure, await_port, bounded, free_ports, make_issuer, stop, subprocess, write  # noqa: E402

# Targets of the promises table in README.md.
ONE_ROUTE_MIB_MAX = 30
MANY_ROUTES_MIB_MAX = 60
GROWTH_MIB_MAX = 1
MANY_ROUTES = 10_000
RELOADS = 5
# The gateway gives back what it does not need any more within seconds.
SETTLE_S = 5

HEAD = """version: 1
listeners: {{ public: {{ bind: {host}:{port}, trusted_proxies: [127.0.0.0/8] }} }}
telemetry: {{ access_log: {{ to: "off" }} }}
"""

ONE_ROUTE = HEAD + """services: {{ web: {{ endpoints: ["127.0.0.1:1"] }} }}
routes:
  - id: web
    match: {{ path: /* }}
    to: web
    public: "measures memory"
"""

GUARDED = HEAD + """issuers:
  bench:
    issuer: https://id.example.com
    audiences: [bench]
    jwks: "file:{issuer}"
    algorithms: [ES256]
limits: {{ per-client: {{ rate: 1000/1s, key: [client.ip, header.x-account] }} }}
waf: {{ standard: {{ rules: [builtin] }} }}
routes:
  - id: guarded
    match: {{ path: /guarded/* }}
    respond: {{ status: 200 }}
    auth: {{ issuers: [bench] }}
    limits: [per-client]
    waf: standard
  - id: open
    match: {{ path: /* }}
    respond: {{ status: 200 }}
    public: "measures memory"
    limits: [per-client]
    waf: standard
"""


def many_routes():
    services = 'services: {{ web: {{ endpoints: ["127.0.0.1:1"] }} }}\nroutes:\n'
    # A template like the others: what is doubled here becomes single when the port is filled in.
    route = '  - {{{{ id: r{0}, match: {{{{ path: "/v1/service{0}/{{{{id}}}}" }}}}, to: web, public: "measures memory" }}}}\n'
    return HEAD + services + "".join(route.format(number) for number in range(MANY_ROUTES))


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise Failure("no VmRSS; did it end?")


def serve(yett, work, text, **values):
    """Starts Yett and waits until it serves and has settled."""
    port = free_ports(1)[0]
    config = write(work / f"{port}.yaml", text.format(host=HOST, port=port, **values))
    log = work / f"{port}.log"
    with open(log, "wb") as out:
        command = [str(yett), "run", "--log", "warn", "--config", str(config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        await_port("yett", process, port, log)
    except Failure:
        stop([process])
        raise
    time.sleep(SETTLE_S)
    return process, port


def idle(yett, work, text, reloads=0):
    """Memory after the start, and after so many reloads."""
    process, _ = serve(yett, work, text)
    try:
        start = resident_mib(process.pid)
        for _ in range(reloads):
            process.send_signal(signal.SIGHUP)
            time.sleep(SETTLE_S)
        return start, resident_mib(process.pid)
    finally:
        stop([process])


def flood(yett, work, waves, requests):
    key_set, token = make_issuer(work)
    process, port = serve(yett, work, GUARDED, issuer=key_set)
    sizes = [resident_mib(process.pid)]
    try:
        for wave in range(waves):
            send(port, token, wave * requests, requests)
            time.sleep(SETTLE_S)
            sizes.append(resident_mib(process.pid))
            print(f"after {(wave + 1) * requests} requests: {sizes[-1]:.1f} MiB", file=sys.stderr, flush=True)
    finally:
        stop([process])
    return sizes


def send(port, token, first, count):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    head, _, _ = token.rpartition(".")
    for number in range(first, first + count):
        headers = {
            "X-Forwarded-For": f"198.{18 + number // 65536 % 2}.{number // 256 % 256}.{number % 256}",
            "X-Account": f"account-{number}",
            f"X-Made-Up-{number}": "1",
            # Well-formed, and signed by nobody.
            "Authorization": f"Bearer {head}.{number:086d}",
        }
        path = f"/guarded/{number}" if number % 2 else f"/{number}/{number * 7919}"
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        expected = 401 if number % 2 else 200
        if response.status != expected:
            raise Failure(f"{path} must be answered {expected}, was {response.status}")


def verdict(what, measured, bound):
    print(f"- {what}: {measured:.1f} MiB, target at most {bound} MiB: {'met' if measured <= bound else 'MISSED'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yett", required=True, type=Path, help="release binary of Yett")
    parser.add_argument("--waves", type=bounded(2, 100), default=6)
    parser.add_argument("--requests", type=bounded(100, 1_000_000), default=20_000, help="of each wave")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yett-memory-") as folder:
        work = Path(folder)
        try:
            one, _ = idle(args.yett, work, ONE_ROUTE)
            many, reloaded = idle(args.yett, work, many_routes(), RELOADS)
            sizes = flood(args.yett, work, args.waves, args.requests)
        except Failure as failure:
            sys.exit(f"error: {failure}")
    verdict("idle, one route", one, ONE_ROUTE_MIB_MAX)
    verdict(f"idle, {MANY_ROUTES} routes", many, MANY_ROUTES_MIB_MAX)
    verdict(f"the same after {RELOADS} reloads", reloaded, MANY_ROUTES_MIB_MAX)
    verdict(f"flood, growth over the second half of {args.waves} waves", sizes[-1] - sizes[args.waves // 2], GROWTH_MIB_MAX)


if __name__ == "__main__":
    main()
