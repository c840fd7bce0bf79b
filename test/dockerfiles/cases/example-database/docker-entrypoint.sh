#!/bin/sh
set -e
[ "$1" = init ] || exec "$@"
for file in /docker-entrypoint-initdb.d/*; do
  case $file in
    *.sql) cp "$file" "$PGDATA/" ;;
    *.sh) . "$file" ;;
  esac
done
chown -R postgres "$PGDATA"
