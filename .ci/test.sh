#!/usr/bin/env bash
# Everything that must hold before a change is taken, quickest answers first. Stops at the first step that fails.
# The last line has the summaries of all tests.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
results=()
current=
began=$SECONDS

# step NAME COMMAND...: a heading, the command's own output, then how long it took.
step() {
    current=$1
    shift
    local start=$SECONDS
    heading "$current"
    "$@" 2>&1 | tee "$log" || finish "FAILED at $current"
    say "--- $current: ok in $((SECONDS - start)) s"
}

# tests NAME COMMAND...: a step whose test summaries are kept; one that ran no test has failed.
tests() {
    step "$@"
    local sum
    sum=$(summary) || finish "FAILED: $current ran no tests"
    results+=("$current: $sum")
}

# What cargo says at the end of each test binary, added up in cargo's own words.
summary() {
    sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
        /^test result: / {
            for (i = 1; i < NF; i++) sums[$(i + 1)] += $i
            if ($3 != "ok.") bad = 1
        }
        END {
            passed = sums["passed;"]; failed = sums["failed;"]; ignored = sums["ignored;"]
            printf "test result: %s. %d passed; %d failed; %d ignored", bad ? "FAILED" : "ok", passed, failed, ignored
            exit passed + failed == 0
        }'
}

# A step whose tool nobody is made to install: loud when it is not there.
skip() { # NAME WHY
    heading "$1"
    say "!!! SKIPPED: $2"
}

finish() {
    local failed=
    case $1 in FAILED*) failed=1 ;; esac
    if [ -n "$failed" ] && sum=$(summary); then
        results+=("$current: $sum")
    fi
    heading "$1 after $((SECONDS - began)) s"
    local line
    line=$(printf '%s | ' "${results[@]:-no test was run}")
    say "$1 | ${line% | }" | tee "${YETT_SUMMARY:-/dev/null}"
    exit "${failed:-0}"
}

load_scripts_parse() {
    for script in load/*.js; do
        say "$script"
        "$K6" inspect "$script" >/dev/null || return 1
    done
}

say "target directory: $TARGET"
step "installation" .ci/install.sh test
step "shell and Python scripts parse" .ci/check-scripts.sh
step "format" cargo fmt --all --check
if find_cargo_deny; then
    step "dependencies: licences, sources, versions" "$CARGO_DENY" --locked check bans licenses sources
    # The database of advisories is a repository elsewhere. What cannot be fetched says nothing about our dependencies.
    if timeout 120 "$CARGO_DENY" fetch db; then
        step "dependencies: advisories" "$CARGO_DENY" --locked check advisories
    else
        skip "dependencies: advisories" "the database could not be fetched (the line above says why); nobody has looked for known vulnerabilities"
    fi
else
    skip "dependencies" "cargo-deny could not be installed (cargo install --locked cargo-deny); deny.toml was not checked"
fi
step "lints" cargo clippy --locked --workspace --all-targets -- -D warnings
find_libmodsecurity ||
    skip "comparison with libmodsecurity" "it could not be installed; the rules that match are not compared"
tests "waf-rules" cargo test --locked -p waf-rules --no-fail-fast
tests "gateway units" cargo test --locked -p yett --lib --no-fail-fast
tests "end to end" cargo test --locked -p yett --test '*' --no-fail-fast
step "shipped configurations and schema" .ci/check-config.sh
if [ -x "$K6" ]; then
    step "load scripts parse" load_scripts_parse
else
    skip "load scripts parse" "k6 is not installed (.ci/install.sh load)"
fi
current=
finish "all steps passed"
