#!/usr/bin/env bash
# Writes config/schema.json as the code has it.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cargo build --locked --quiet -p yett --bin yett
"$TARGET/debug/yett" schema >config/schema.json
git --no-pager diff --stat -- config/schema.json
