#!/bin/sh
# Passwords and a certificate for localhost, below secrets/, once. Containers' users read the files; the folder keeps
# everybody else of this machine out.
set -eu
cd "$(dirname "$0")"
[ ! -e secrets ] || exit 0
umask 077
new=$(mktemp -d secrets.XXXXXX)
openssl rand -hex 24 > "$new/database_password"
openssl rand -hex 24 > "$new/cache_password"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$new/tls.key" -out "$new/tls.crt" 2> /dev/null
chmod 0444 "$new"/*
mv "$new" secrets
