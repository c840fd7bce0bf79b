#!/bin/bash
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --auth=trust --no-sync > /dev/null
  pg_ctl --wait --silent --log=/dev/null --options='-c listen_addresses=' start
  for script in /docker-entrypoint-initdb.d/*.sql; do psql --quiet --set=ON_ERROR_STOP=1 --file="$script"; done
  pg_ctl --wait --silent stop
fi
exec "$@"
