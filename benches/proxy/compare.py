#!/usr/bin/env python3
"""Processor time per request of Yett beside a bare Pingora proxy, nginx and HAProxy, in one run.

    benches/proxy/compare.py --yett target/release/yett --bare target/release/examples/bare_proxy

Two processors are needed: the proxy under test has one for itself, wrk and the service behind it share another.
Every proxy gets the same bytes over as many connections, logs nothing and uses one thread. Rounds alternate in order;
ratios are taken within a round, so that a machine that slows down does not count for or against anyone.

Only the standard library is used. Needed beside it: wrk, nginx, haproxy, openssl, taskset (.ci/install.sh bench).
"""

import argparse
import base64
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
TARGET = "/v1/orders/7?expand=lines&sort=price&page=2&q=garden%20table"
ATTACK = "/v1/orders/7?q=1%27%20OR%20%271%27%3D%271%27%20--%20"
HOST = "127.0.0.1"
WARM_UP_S = 2
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10

# Targets of the promises table in README.md.
PROXY_RATIO_MAX = 1.10
STAGES_US_MAX = 60.0


@dataclass
class Proxy:
    """One contestant: how it is started, and whether it checks tokens and attacks."""

    name: str
    what: str
    command: list
    port: int
    guards: bool = False
    process: subprocess.Popen = None
    runs: list = field(default_factory=list)


@dataclass
class Run:
    """One round of one contestant."""

    requests_per_s: float
    cpu_us: float
    p50_us: float
    p99_us: float
    busy: float
    others: float


class Failure(Exception):
    """Says what is wrong; nothing was measured that may be used."""


# --- what is compared -------------------------------------------------------------------------------------------------


def contestants(args, work, upstream_port, issuer):
    ports = free_ports(5)
    upstream = f"{HOST}:{upstream_port}"
    yett = [str(args.yett), "run", "--workers", "1", "--log", "warn", "--config"]
    proxy_only = write(work / "yett-proxy.yaml", yett_config(ports[1], upstream, PROXY_ONLY))
    all_stages = write(work / "yett-full.yaml", yett_config(ports[2], upstream, ALL_STAGES, issuer=issuer))
    nginx = write(work / "nginx.conf", NGINX.format(work=work, name="nginx", port=ports[3], upstream=upstream))
    haproxy = write(work / "haproxy.cfg", HAPROXY.format(port=ports[4], upstream=upstream))
    return [
        Proxy("bare", "bare Pingora proxy", [str(args.bare), f"{HOST}:{ports[0]}", upstream], ports[0]),
        Proxy("yett-proxy", "Yett, proxy only", [*yett, str(proxy_only)], ports[1]),
        Proxy("yett-full", "Yett, all stages", [*yett, str(all_stages)], ports[2], guards=True),
        Proxy("nginx", "nginx", ["nginx", "-e", "stderr", "-c", str(nginx)], ports[3]),
        Proxy("haproxy", "HAProxy", ["haproxy", "-db", "-f", str(haproxy)], ports[4]),
    ]


def yett_config(port, upstream, rest, **values):
    bounds = "{ connections: 20000, requests_per_connection: 1000000000 }"
    head = f"""version: 1
listeners: {{ public: {{ bind: {HOST}:{port}, bounds: {bounds} }} }}
telemetry: {{ access_log: {{ to: "off" }} }}
services: {{ upstream: {{ endpoints: ["{upstream}"] }} }}
"""
    return head + rest.format(host=HOST, **values)


# One route, nothing but what no gateway can do without: one reading of the request, the route, the event.
PROXY_ONLY = """routes:
  - id: all
    match: {{ path: /* }}
    to: upstream
    public: "measures what a proxied request costs"
    waf: "off"
"""

# What a guarded route has: lists, a limit by address and one by user, a token with scope and second factor, all
# built-in rules. The token is the same every time, as a client's is for minutes: its verdict comes from the cache.
ALL_STAGES = """screen: {{ deny: [203.0.113.0/24] }}
issuers:
  bench:
    issuer: https://id.example.com
    audiences: [bench]
    jwks: "file:{issuer}"
    algorithms: [ES256]
    mfa: {{ any_acr: [mfa] }}
limits:
  per-client: {{ rate: 1000000/1s, burst: 1000000, key: client.ip }}
  per-user: {{ rate: 1000000/1s, burst: 1000000, key: token.sub }}
waf: {{ standard: {{ rules: [builtin] }} }}
defaults: {{ auth: {{ issuers: [bench] }}, limits: [per-client], waf: standard }}
routes:
  - id: order
    match: {{ host: {host}, path: "/v1/orders/{{id}}", methods: [GET] }}
    to: upstream
    auth: {{ scopes: ["orders:read"], mfa: true }}
    limits: [per-user]
"""

NGINX_COMMON = """daemon off;
worker_processes 1;
pid {work}/{name}.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {work}/{name}-body;
    proxy_temp_path {work}/{name}-proxy;
    fastcgi_temp_path {work}/{name}-fastcgi;
    uwsgi_temp_path {work}/{name}-uwsgi;
    scgi_temp_path {work}/{name}-scgi;
"""

NGINX = (
    NGINX_COMMON
    + """    upstream service {{ server {upstream}; keepalive 512; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""
)

# The service behind all of them: 1 KiB of JSON from memory.
UPSTREAM = (
    NGINX_COMMON
    + """    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
}}
"""
)

HAPROXY = """global
    nbthread 1
    maxconn 8192
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 300s
    timeout server 300s
frontend public
    bind 127.0.0.1:{port} backlog 4096
    default_backend service
backend service
    server one {upstream} pool-max-conn 512
"""


def upstream_body():
    lines = [{"line": n, "sku": f"SKU-{n:05}", "count": n % 7 + 1, "price": 9.5 + n} for n in range(16)]
    body = json.dumps({"id": 7, "state": "paid", "lines": lines})
    return body + " " * (1024 - len(body))


# --- tokens -----------------------------------------------------------------------------------------------------------


def make_issuer(work):
    """An ES256 key by openssl, its public half as a key set in a file, and a token (RFC 9068) for the whole run."""
    key = work / "issuer.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    # The last 64 bytes of the key's DER form are the two coordinates of its point.
    point = openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER")[-64:]
    jwk = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "bench"}
    jwk |= {"x": b64(point[:32]), "y": b64(point[32:])}
    key_set = write(work / "keys.json", json.dumps({"keys": [jwk]}))
    now = int(time.time())
    claims = {"iss": "https://id.example.com", "aud": "bench", "sub": "ada", "client_id": "bench", "jti": "one"}
    claims |= {"iat": now, "exp": now + 6 * 3600, "auth_time": now, "scope": "orders:read orders:write", "acr": "mfa"}
    header = {"typ": "at+jwt", "alg": "ES256", "kid": "bench"}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    der = openssl("dgst", "-sha256", "-sign", str(key), stdin=signed.encode())
    return key_set, f"{signed}.{b64(raw_signature(der))}"


def raw_signature(der):
    """From SEQUENCE { INTEGER r, INTEGER s } to the 64 bytes of JWS (RFC 7518 section 3.4)."""
    numbers, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        numbers += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return numbers


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- processes --------------------------------------------------------------------------------------------------------


def start(command, cpu, log):
    """Starts a server in the foreground, bound to one processor."""
    with open(log, "wb") as out:
        return subprocess.Popen(["taskset", "-c", str(cpu), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def await_port(name, process, port, log):
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 0.5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failure(f"{name} does not listen on port {port}:\n{log.read_text(errors='replace')[:2000]}")


def stop(processes):
    """Ends what was started here, and nothing else."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def family(pid):
    """A process and all its descendants: nginx works in children."""
    found = [pid]
    for one in found:
        try:
            found += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except FileNotFoundError:
            pass
    return found


def cpu_s(pid):
    """User and system time of a family so far."""
    ticks = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except FileNotFoundError:
            pass
    return ticks / TICKS_PER_S


def machine_cpu_s():
    """Time of all processors that was neither idle nor waiting for disks."""
    fields = [int(ticks) for ticks in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS_PER_S


def free_ports(count):
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def write(path, text):
    path.write_text(text)
    return path


# --- measuring --------------------------------------------------------------------------------------------------------


def verify(proxy, token, body):
    """Every contestant gives the service's answer; the one that guards refuses what it must."""
    expect(proxy, 200, ask(proxy.port, TARGET, token), body)
    if proxy.guards:
        expect(proxy, 401, ask(proxy.port, TARGET, None))
        expect(proxy, 403, ask(proxy.port, ATTACK, token))


def ask(port, target, token):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request("GET", target, headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def expect(proxy, status, answer, body=None):
    if answer[0] != status or (body is not None and answer[1] != body):
        raise Failure(f"{proxy.name} must answer {status}, it answered {answer[0]}: {answer[1][:300]}")


def load(args, port, token, seconds):
    """wrk's report as (requests, p50 in us, p99 in us). Any answer but 200 spoils the run."""
    command = ["taskset", "-c", str(args.load_cpu), "wrk", "-t1", f"-c{args.connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", f"Authorization: Bearer {token}", f"http://{HOST}:{port}{TARGET}"]
    report = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    wrong = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", report)
    if wrong:
        raise Failure(f"port {port}: {wrong.group(0)}")
    requests = int(re.search(r"(\d+) requests in", report).group(1))
    if requests == 0:
        raise Failure(f"port {port}: no request was answered")
    return requests, *(microseconds(re.search(rf"^\s+{share}%\s+(\S+)", report, re.M).group(1)) for share in (50, 99))


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def measure(args, proxy, upstream, token):
    pid = proxy.process.pid
    own = lambda: cpu_s(pid) + cpu_s(upstream.pid) + sum(os.times()[2:4])
    cpu_before, own_before, machine_before = cpu_s(pid), own(), machine_cpu_s()
    began = time.monotonic()
    requests, p50_us, p99_us = load(args, proxy.port, token, args.secs)
    seconds = time.monotonic() - began
    cpu = cpu_s(pid) - cpu_before
    others = machine_cpu_s() - machine_before - (own() - own_before)
    if proxy.process.poll() is not None:
        raise Failure(f"{proxy.name} ended during the run")
    return Run(requests / seconds, cpu / requests * 1e6, p50_us, p99_us, cpu / seconds, max(others, 0) / seconds)


def rounds(args, proxies, upstream, token):
    for proxy in proxies:
        load(args, proxy.port, token, WARM_UP_S)
    for number in range(args.rounds):
        for proxy in proxies if number % 2 == 0 else reversed(proxies):
            run = measure(args, proxy, upstream, token)
            proxy.runs.append(run)
            print(
                f"round {number + 1}/{args.rounds} {proxy.name:<11} {run.requests_per_s:8.0f} req/s "
                f"{run.cpu_us:7.1f} us CPU/request, own processor {run.busy:.0%} busy, others {run.others:.2f} processors",
                file=sys.stderr,
                flush=True,
            )


# --- report -----------------------------------------------------------------------------------------------------------


def median(proxy, name):
    return statistics.median(getattr(run, name) for run in proxy.runs)


def paired(one, other, compare):
    """Median over rounds of a comparison within each round."""
    return statistics.median(compare(a.cpu_us, b.cpu_us) for a, b in zip(one.runs, other.runs))


def report(args, proxies):
    by_name = {proxy.name: proxy for proxy in proxies}
    bare, proxy_only, all_stages = (by_name[name] for name in ("bare", "yett-proxy", "yett-full"))
    print(f"Medians of {args.rounds} rounds of {args.secs} s, {args.connections} connections, one processor, 1 KiB answers.\n")
    print("| | CPU per request | least .. most | beside bare | req/s | p50 | p99 |")
    print("|---|---|---|---|---|---|---|")
    for proxy in proxies:
        cpu = sorted(run.cpu_us for run in proxy.runs)
        ratio = paired(proxy, bare, lambda a, b: a / b)
        print(
            f"| {proxy.what} | {median(proxy, 'cpu_us'):.1f} us | {cpu[0]:.1f} .. {cpu[-1]:.1f} | {ratio:.2f} x | "
            f"{median(proxy, 'requests_per_s'):.0f} | {median(proxy, 'p50_us') / 1e3:.2f} ms | {median(proxy, 'p99_us') / 1e3:.2f} ms |"
        )
    ratio = paired(proxy_only, bare, lambda a, b: a / b)
    added = paired(all_stages, proxy_only, lambda a, b: a - b)
    print()
    promise("proxy only beside a bare Pingora proxy", f"{ratio:.2f} x", f"{PROXY_RATIO_MAX:.2f} x", ratio <= PROXY_RATIO_MAX)
    promise("all stages, added to proxy only", f"{added:.1f} us", f"{STAGES_US_MAX:.0f} us", added <= STAGES_US_MAX)
    others = max(run.others for proxy in proxies for run in proxy.runs)
    if others > args.quiet:
        print(f"\nThe machine was not quiet: others used up to {others:.2f} processors (bound {args.quiet}). Measure again.")
    idle = [proxy.what for proxy in proxies if median(proxy, "busy") < 0.9]
    if idle:
        print(f"\nNever had a processor filled: {', '.join(idle)}; their req/s is the load's or the machine's, not theirs.")


def promise(what, measured, target, met):
    print(f"- {what}: {measured}, target at most {target}: {'met' if met else 'MISSED'}")


# --- main -------------------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yett", required=True, type=Path, help="release binary of Yett")
    parser.add_argument("--bare", required=True, type=Path, help="release binary of the example bare_proxy")
    parser.add_argument("--rounds", type=bounded(1, 50), default=5)
    parser.add_argument("--secs", type=bounded(1, 60), default=8, help="length of one measurement")
    parser.add_argument("--connections", type=bounded(1, 512), default=64)
    parser.add_argument("--proxy-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--quiet", type=float, default=0.15, help="processors that others may use before the report objects")
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    for tool in ("wrk", "nginx", "haproxy", "openssl", "taskset", args.yett, args.bare):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is missing (.ci/install.sh bench installs the tools)")
    allowed = os.sched_getaffinity(0)
    if args.proxy_cpu == args.load_cpu or not {args.proxy_cpu, args.load_cpu} <= allowed:
        parser.error(f"--proxy-cpu and --load-cpu must be two of {sorted(allowed)}")
    return args


def bounded(least, most):
    def parse(text):
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not within {least} to {most}")
        return number

    return parse


def compare(args, work):
    key_set, token = make_issuer(work)
    body, port = upstream_body(), free_ports(1)[0]
    proxies = contestants(args, work, port, key_set)
    config = write(work / "upstream.conf", UPSTREAM.format(work=work, name="upstream", port=port, body=body))
    started = []
    try:
        log = work / "upstream.log"
        upstream = start(["nginx", "-e", "stderr", "-c", str(config)], args.load_cpu, log)
        started.append(upstream)
        await_port("upstream", upstream, port, log)
        for proxy in proxies:
            log = work / f"{proxy.name}.log"
            proxy.process = start(proxy.command, args.proxy_cpu, log)
            started.append(proxy.process)
            await_port(proxy.name, proxy.process, proxy.port, log)
            verify(proxy, token, body)
        rounds(args, proxies, upstream, token)
    finally:
        stop(started)
    report(args, proxies)


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="yett-bench-") as folder:
        # nginx as root works as another user, who must reach its folders.
        os.chmod(folder, 0o711)
        try:
            compare(args, Path(folder))
        except Failure as failure:
            sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
