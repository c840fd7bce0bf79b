#!/bin/sh
# On an empty volume: a cluster whose user and database are POSTGRES_USER and POSTGRES_DB, whose password is in the file
# POSTGRES_PASSWORD_FILE, and in which the scripts of /docker-entrypoint-initdb.d have been run. Then the command.
set -eu
export PGUSER="${POSTGRES_USER:-postgres}" PGDATABASE="${POSTGRES_DB:-postgres}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$PGUSER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  # Nobody but the scripts may find it before they are done.
  pg_ctl --wait --silent --log=/dev/null --options='-c listen_addresses=' start
  [ "$PGDATABASE" = postgres ] || createdb --maintenance-db=postgres "$PGDATABASE"
  for script in /docker-entrypoint-initdb.d/*.sql; do
    [ ! -e "$script" ] || psql --quiet --set=ON_ERROR_STOP=1 --file="$script"
  done
  pg_ctl --wait --silent --mode=fast stop
fi
exec "$@"
