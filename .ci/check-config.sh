#!/usr/bin/env bash
# The configurations that are shipped are accepted by the binary, their own tests included, and the schema is current.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cargo build --locked --quiet -p yett --bin yett
yett=$TARGET/debug/yett

"$yett" schema | diff config/schema.json - ||
    fail "config/schema.json is not what the code says; make schema writes it anew"

# The reference names certificates and secrets: copies beside such files are checked, so that nothing of this machine
# is needed and nothing is left behind.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/certs" "$folder/secrets"
certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout "$folder/certs/$2.key" -out "$folder/certs/$2.pem" 2>/dev/null
}
certificate api.example.com example
certificate clients.example.com clients
certificate orders.internal internal
printf 'a-token-of-some-length-for-a-check\n' >"$folder/secrets/yett-admin"
chmod 600 "$folder/secrets/yett-admin"
export YETT_REDIS_PASSWORD=for-a-check YETT_SUBJECT_KEY=a-key-of-some-length-for-a-check

for config in config/*.yaml; do
    sed "s|/run/secrets/|$folder/secrets/|" "$config" >"$folder/$(basename "$config")"
    say "$config"
    "$yett" check --config "$folder/$(basename "$config")"
done
