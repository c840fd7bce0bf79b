#!/bin/sh
# The command is redis-server's options. The password is in the file REDIS_PASSWORD_FILE, and stays in files: the arguments
# of a process are there for everybody to read.
set -eu
umask 077
printf 'dir /data\nbind * -::*\nrequirepass %s\n' "$(cat "$REDIS_PASSWORD_FILE")" > /tmp/redis.conf
exec redis-server /tmp/redis.conf "$@"
