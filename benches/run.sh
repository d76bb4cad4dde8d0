#!/usr/bin/env bash
# Measures: benches/run.sh [criterion] [waf] [proxy] [memory]. All but waf, which criterion has, without arguments.
. "$(dirname "${BASH_SOURCE[0]}")/../.ci/common.sh"

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(criterion proxy memory)
.ci/install.sh bench
find_libmodsecurity || say "!!! SKIPPED: the table beside libmodsecurity: it could not be installed"
for part in "${parts[@]}"; do
    case $part in
    criterion)
        heading "criterion benches; the first build takes minutes"
        cargo bench --locked --workspace --bench '*'
        ;;
    waf)
        heading "CRS here, without the prefilter and in libmodsecurity (CPU time)"
        cargo bench --locked -p waf-rules --bench waf -- beside
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
    *) fail "unknown part \`$part\`; there are: criterion waf proxy memory" ;;
    esac
done
