#!/usr/bin/env bash
# Runs the k6 scripts against a demo of its own: load/run.sh [smoke] [mixed] [reload]
#
# The demo listens on free ports of the loopback and is ended by its process id. PROFILE=dev takes the unoptimised
# build; its latencies say nothing. K6_ARGS is passed on to k6.
. "$(dirname "${BASH_SOURCE[0]}")/../.ci/common.sh"

scripts=("$@")
[ ${#scripts[@]} -gt 0 ] || scripts=(smoke mixed reload)
for script in "${scripts[@]}"; do
    [ -e "load/$script.js" ] || fail "no script \`$script\`; there are: smoke mixed reload"
done

.ci/install.sh load
profile=(--release) built=release
if [ "${PROFILE:-release}" = dev ]; then
    profile=() built=debug
fi
heading "building yett ($built)"
cargo build --locked "${profile[@]}" -p yett --bin yett
yett=$TARGET/$built/yett

work=$(mktemp -d)
demo=
stop() {
    if [ -n "$demo" ] && kill -0 "$demo" 2>/dev/null; then
        kill -TERM "$demo" 2>/dev/null || true
        wait "$demo" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

read -r port admin_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')

heading "starting a demo on 127.0.0.1:$port"
"$yett" demo --listen "127.0.0.1:$port" --admin "127.0.0.1:$admin_port" --tokens-file "$work/tokens.json" --grace 5s \
    >"$work/demo.log" 2>&1 &
demo=$!
for _ in $(seq 150); do
    kill -0 "$demo" 2>/dev/null || break
    "$yett" health --admin "127.0.0.1:$admin_port" 2>/dev/null && break
    sleep 0.2
done
"$yett" health --admin "127.0.0.1:$admin_port" || {
    cat "$work/demo.log" >&2
    fail "the demo did not become ready"
}

read -r -a k6_args <<<"${K6_ARGS:-}"
# Scripts that fail are reported at the end; the others run all the same.
failed=()
for script in "${scripts[@]}"; do
    heading "load/$script.js"
    "$K6" run --quiet --no-usage-report \
        --env "TARGET=http://127.0.0.1:$port" --env "ADMIN=http://127.0.0.1:$admin_port" \
        --env "TOKENS=$work/tokens.json" "${k6_args[@]}" "load/$script.js" || failed+=("$script")
    kill -0 "$demo" 2>/dev/null || {
        tail -n 50 "$work/demo.log" >&2
        fail "the demo ended during load/$script.js"
    }
done
[ ${#failed[@]} -eq 0 ] || fail "thresholds were crossed in: ${failed[*]}"
heading "all thresholds hold: ${scripts[*]}"
