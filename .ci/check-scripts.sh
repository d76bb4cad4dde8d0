#!/usr/bin/env bash
# Scripts can be read by what runs them, and what is written in two places is the same.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

for script in .ci/run .ci/*.sh load/*.sh benches/*.sh; do
    bash -n "$script"
done
if have python3; then
    python3 - benches/*.py benches/proxy/*.py waf-rules/tests/regression/oracle/*.py <<'PYTHON'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
PYTHON
fi

pinned=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
image=$(sed -n 's/^ARG RUST=//p' Dockerfile)
least=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
[ "$pinned" = "$image" ] || fail "rust-toolchain.toml pins $pinned, the Dockerfile builds with $image"
case $pinned in
"$least"*) ;;
*) fail "rust-toolchain.toml pins $pinned, Cargo.toml says rust-version $least" ;;
esac

version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml)
grep -q "image.version=\"$version\"" Dockerfile || fail "the label of the image in the Dockerfile is not version $version"

# What .dockerignore lets through is the whole workspace: a new member that is forgotten there is seen here, not by the
# next one who builds an image.
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mapfile -t sent < <(sed -n 's/^!//p' .dockerignore)
git ls-files -z -- "${sent[@]}" | xargs -0 cp --parents -t "$context"
cargo metadata --locked --offline --no-deps --format-version 1 --manifest-path "$context/Cargo.toml" >/dev/null ||
    fail "cargo cannot read the workspace in what .dockerignore lets through"

# A page or file that a document of ours links to exists.
broken=0
while IFS=: read -r page target; do
    path=${target%%#*}
    [ -n "$path" ] || continue
    [ -e "$(dirname "$page")/$path" ] || {
        say "$page links to $target, which does not exist"
        broken=1
    }
done < <(grep -oHE '\]\([^)]+\)' README.md CHANGELOG.md docs/*.md load/*.md | sed -E 's/:\]\((.*)\)$/:\1/' | grep -vE ':(https?|mailto):')
[ "$broken" -eq 0 ] || fail "broken links"
