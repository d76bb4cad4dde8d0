#!/usr/bin/env bash
# Builds and starts the demo: .ci/demo.sh [--release] [ARGUMENTS OF yett demo]
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

profile=() folder=debug
if [ "${1:-}" = --release ]; then
    profile=(--release) folder=release
    shift
fi
.ci/install.sh build
heading "building yett ($folder); the first time takes minutes"
cargo build --locked "${profile[@]}" -p yett --bin yett
heading "starting yett demo; Ctrl-C stops it"
exec "$TARGET/$folder/yett" demo "$@"
