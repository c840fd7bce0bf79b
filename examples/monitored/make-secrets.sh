#!/bin/sh
# The password that the services use among themselves, below secrets/, once. Containers' users read the file; the folder
# keeps everybody else of this machine out.
set -eu
cd "$(dirname "$0")"
[ ! -e secrets ] || exit 0
umask 077
new=$(mktemp -d secrets.XXXXXX)
openssl rand -hex 24 > "$new/password"
chmod 0444 "$new/password"
mv "$new" secrets
