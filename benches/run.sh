#!/usr/bin/env bash
# Measures: benches/run.sh [criterion] [proxy] [memory]. All without arguments.
. "$(dirname "${BASH_SOURCE[0]}")/../.ci/common.sh"

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(criterion proxy memory)
.ci/install.sh bench
for part in "${parts[@]}"; do
    case $part in
    criterion)
        heading "criterion benches; the first build takes minutes"
        cargo bench --locked --workspace --bench '*'
        ;;
    proxy)
        heading "building yett and the bare proxy (release)"
        cargo build --locked --release -p yett --bin yett --example bare_proxy
        heading "CPU per request beside a bare Pingora proxy, nginx and HAProxy: about five minutes"
        python3 benches/proxy/compare.py --yett "$TARGET/release/yett" --bare "$TARGET/release/examples/bare_proxy"
        ;;
    memory)
        heading "building yett (release)"
        cargo build --locked --release -p yett --bin yett
        heading "resident memory: about two minutes"
        python3 benches/memory.py --yett "$TARGET/release/yett"
        ;;
    *) fail "unknown part \`$part\`; there are: criterion proxy memory" ;;
    esac
done
