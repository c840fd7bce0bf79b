#!/bin/sh
# esbuild makes one file of the sources whenever one of them changes, and node starts anew whenever that file does.
set -eu
bundle() { esbuild src/server.ts --bundle --platform=node --target=node20 --sourcemap=inline --outfile=server.js "$@"; }
# The first one before node looks for it. One that does not build is mended while it is watched.
bundle || echo 'throw new Error("src/ does not build")' > server.js
bundle --watch=forever --log-level=info &
exec node --enable-source-maps --watch server.js
