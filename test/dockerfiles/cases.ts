import type { debianImage } from '../support/debian-image.ts';
import { failures } from './failures.ts';

/** One build. Its folder in cases/ is the context, and what its answer was from the reference is in golden/. */
export interface DockerfileCase {
  /** The folder in cases/; the case's own name when not given. */
  folder?: string;
  /** Shell, run in a private copy of the folder: owners, modes, links and names that git does not keep. */
  prepare?: string;
  /** Flags of `build`, the same for both clients. */
  args?: string[];
  /** The context below the folder, or a URL; the folder itself when not given. */
  context?: string;
  /** Variables of the client's environment. */
  env?: Record<string, string>;
  /** Standard input of the client. */
  input?: string;
  /** What the result's files are compared with; busybox when not given. */
  base?: 'busybox' | 'scratch' | typeof debianImage;
  /** It must fail; `words` is what Gantry says where its words are others, `elsewhere`: not at BuildKit's place. */
  fails?: { words?: string; elsewhere?: true };
  /** What is not compared, because Gantry means to be different: docs/building-differences.md says why. */
  differs?: RegExp;
  timeoutMs?: number;
}

/** BuildKit keeps them unless its exporter has rewrite-timestamp. */
const timesOfFiles = /(?<=^f .*) @\S+$/gm;

/** A build of a commit was made when the commit was: docs/decisions/0019-times-of-commits.md. */
const timeOfCommit = / @2023-11-14T22:15:23Z$|^created 2023-11-14T22:15:23Z\n/gm;

const builds: Record<string, DockerfileCase> = {
  'copy-forms': {},
  'copy-from': {},
  'copy-owners': {},
  'copy-modes': {},
  'copy-permissions': {
    prepare: `
for name in setuid setgid nothing world; do echo $name > $name; done
chmod 4755 setuid; chmod 2755 setgid; chmod 000 nothing; chmod 666 world
mkdir -m 1777 sticky-dir; mkdir -m 2750 setgid-dir; mkdir -m 700 private; mkdir empty
echo inner > sticky-dir/inner; echo hidden > private/hidden; chmod 400 private/hidden
chown 1000:1000 world private`,
  },
  'copy-symlinks': {
    prepare: `
ln -s target.txt to-file; ln -s real to-dir; ln -s /etc/passwd absolute; ln -s missing dangling
ln -s ../../../etc/group climbing; ln -s to-file twice; ln -s ../target.txt real/upwards; rm -f dangling absolute`,
  },
  'copy-hard-links': {
    prepare: 'echo linked > one; ln one two; mkdir sub; ln one sub/three; echo alone > four',
  },
  'copy-onto': {},
  'copy-odd-names': {
    prepare: `
echo x > ./-dash; echo x > 'two  spaces'; echo x > '[bracket]'; echo x > 'star*'; echo x > stars; echo x > 'ünïcode'
echo x > "quote'd"; echo x > 'back\\\\slash'; echo x > 'new
line'; echo x > '$HOME'; echo x > '#hash'; mkdir 'dir with space'; echo x > 'dir with space/tab	name'
long=$(printf 'n%.0s' $(seq 200)); mkdir $long; echo x > $long/$long; ln -s $long/$long long-link`,
  },
  'copy-heredoc': {},
  'copy-link': {},
  'copy-link-onto': { prepare: 'chmod 700 d; chmod 2755 e/sub' },
  'copy-exclude': {},
  'copy-details': {
    args: ['--build-arg', 'HTTP_PROXY=http://proxy.test'],
    prepare: 'ln -s d link; mkdir t; echo t > t/t; tar --sort=name -cf t.tar t; rm -r t',
  },
  'copy-details-escape': { folder: 'copy-details', args: ['-f', 'escape.Dockerfile'] },
  'copy-directory-modes': {
    prepare: `
mkdir -m 700 private; mkdir -m 750 private/sub; mkdir -m 2775 open
echo x > private/file; echo x > private/sub/file; echo x > open/other; chmod 640 private/sub/file
chown 1000:1000 private/sub`,
  },
  'glob-nothing': {},
  'run-forms': {},
  'run-heredoc': {},
  'run-mount-bind': {},
  'run-mount-bind-rw': {},
  'run-mount-cache': {},
  'run-mount-tmpfs': {},
  'run-mount-secret': {
    args: ['--secret', 'id=token,src=token.txt', '--secret', 'id=variable,env=SECRET_VARIABLE'],
    env: { SECRET_VARIABLE: 'of the environment' },
  },
  'run-mount-ssh': {
    prepare: 'openssl genpkey -algorithm ed25519 -out key',
    args: ['--ssh', 'other=key'],
  },
  'named-contexts': {
    context: 'app',
    args: [
      ...['--build-context', 'extra=extra', '--build-context', 'alias=docker-image://busybox'],
      ...['--build-context', 'replaced=docker-image://busybox:latest'],
    ],
  },
  'run-network': {},
  'args-scope': {
    args: [
      '--build-arg',
      'GIVEN=given',
      '--build-arg',
      'A=given-a',
      '--build-arg',
      'HTTPS_PROXY=http://proxy.test',
    ],
  },
  'args-platform': {},
  expansion: {},
  'env-forms': {},
  'label-forms': {},
  'workdir-chain': {},
  'user-forms': {},
  'volume-forms': {},
  'expose-forms': {},
  'healthcheck-forms': {},
  'healthcheck-exec': { folder: 'healthcheck-forms', args: ['--target', 'exec'] },
  'healthcheck-none': { folder: 'healthcheck-forms', args: ['--target', 'none'] },
  'shell-instruction': {},
  'cmd-entrypoint': {},
  'cmd-of-target': { folder: 'cmd-entrypoint', args: ['--target', 'cmd-only'] },
  'entrypoint-resets-command': { folder: 'cmd-entrypoint', args: ['--target', 'entry-resets-cmd'] },
  'command-then-entrypoint': { folder: 'cmd-entrypoint', args: ['--target', 'order'] },
  'cmd-not-json': {},
  onbuild: {},
  'onbuild-arguments': { folder: 'onbuild', args: ['--target', 'child', '--build-arg', 'MODE=release'] },
  'escape-directive': {},
  'odd-layout': {},
  dockerignore: {
    prepare: `
mkdir -p a/b kept-dir/sub kept-dir/skipped ignored-dir doc dir-slash node_modules/x sub/node_modules
for name in x.log important.log a/x.log a/important.log rooted a/rooted temp1 temp tempab deep.txt a/b/deep.txt \\
  ignored-dir/exception.txt ignored-dir/other doc/README.md doc/other x.tmp a/b/y.tmp kept-dir/sub/kept kept-dir/skipped/x \\
  a.class d.class '!bang' trimmed dir-slash/x node_modules/x/y sub/node_modules/z '# comment' a/b/plain; do echo x > "$name"; done`,
  },
  'dockerignore-own': { args: ['-f', 'web.Dockerfile'] },
  'dockerignore-self': {},
  'multi-stage': {},
  'target-stage': { args: ['--target', 'SECOND'] },
  'from-scratch': { base: 'scratch' },
  'scratch-run-less': { base: 'scratch' },
  'add-archives': {
    prepare: `
mkdir -p t/sub t/empty
echo inner > t/inner; echo tool > t/sub/tool; chmod 750 t/sub/tool; ln -s inner t/link; ln t/inner t/hard
chown 1000:50 t/sub; find t -exec touch -h -d @1600000000 {} +
tar --sort=name --numeric-owner -C t -cf plain.tar .
gzip -kn plain.tar; mv plain.tar.gz packed.tar.gz; bzip2 -k plain.tar; mv plain.tar.bz2 packed.tar.bz2
xz -k plain.tar; mv plain.tar.xz packed.tar.xz; zstd -q plain.tar -o packed.tar.zst
cp packed.tar.gz misnamed.txt; echo 'no archive' > notanarchive.tar; echo text | gzip -n > text.gz; rm -r t`,
  },
  'add-archives-owned': {
    prepare: `
mkdir -p t/sub; echo inner > t/inner; echo tool > t/sub/tool; chmod 750 t/sub/tool; chown 1000:50 t/sub
find t -exec touch -h -d @1600000000 {} +; tar --sort=name --numeric-owner -C t -cf plain.tar .
bzip2 -c plain.tar > bzip2; xz -c plain.tar > xz; echo 'no archive' > notanarchive.tar; rm -r t`,
  },
  'add-url': {},
  'add-onto': {
    prepare: `
mkdir -p t/sub; echo inner > t/inner; echo new > t/sub/new; ln -s sub t/soft; chmod 750 t/sub; chown 1000:50 t/sub
find t -exec touch -h -d @1600000000 {} +; tar --sort=name --numeric-owner -C t -cf onto.tar .; rm -r t
mkdir t; echo one > t/one; ln t/one t/two; ln -s /etc/passwd t/absolute; ln -s ../../up t/up; find t -exec touch -h -d @1600000000 {} +
tar --sort=name --numeric-owner -C t -cf links.tar .; rm -r t`,
  },
  crlf: { prepare: `sed -i 's/$/\\r/' Dockerfile .dockerignore` },
  'stage-names': {},
  'mounts-odd': {},
  'odd-files': {
    prepare: `
echo old > tree/old; echo new > tree/new; truncate -s 1M tree/sparse; mkfifo tree/fifo; mkdir -p tree/empty/er; chmod 000 tree/empty/er
touch -d 1969-12-31T23:59:58Z tree/old; touch -d 2098-01-01T00:00:00Z tree/new`,
  },
  'file-capabilities': {
    prepare: `
cp /bin/busybox capable; truncate -s 16 capable; chmod 755 capable; setcap cap_net_bind_service=ep capable
echo x > attributed; python3 -c "import os; os.setxattr('attributed', 'user.note', b'text')"`,
  },
  devices: {},
  whiteouts: {},
  'copy-replaces': {},
  'run-user-files': {},
  'labels-many': {},
  'long-lines': {},
  'parse-details': {},
  'epoch-files': {
    differs: timesOfFiles,
    args: ['--build-arg', 'SOURCE_DATE_EPOCH=1700000999'],
    prepare: `
mkdir t; echo old > t/old; touch -d @1300000000 t/old; tar --sort=name --numeric-owner -C t -cf old.tar old; rm -r t`,
  },
  'add-git': {},
  'git-context': {
    folder: 'stdin-dockerfile',
    context: 'git://10.77.0.2/repository.git#v1',
    differs: timeOfCommit,
  },
  'git-context-below': {
    folder: 'stdin-dockerfile',
    context: 'git://10.77.0.2/repository.git#main:sub',
    differs: timeOfCommit,
  },
  'stdin-dockerfile': { args: ['-f', '-'], input: 'FROM busybox\nCOPY a.txt /from-stdin/\n' },
  'example-go-service': { base: 'scratch', args: ['--target', 'release', '--build-arg', 'VERSION=1.2.3'] },
  'example-node-app': {},
  'example-python-venv': {},
  'example-distroless': { base: 'scratch' },
  'example-nginx-template': {},
  'example-database': { args: ['--build-arg', 'SEED=large'] },
  'example-monorepo': {},
  'example-matrix': { args: ['--build-arg', 'VARIANT=full'] },
  epoch: { args: ['--build-arg', 'SOURCE_DATE_EPOCH=1700000999'], differs: timesOfFiles },
  'build-flags': {
    args: [
      ...[
        '--build-arg',
        'GIVEN=a b',
        '--label',
        'b=flag',
        '--label',
        'c="quoted" $x',
        '--add-host',
        'elsewhere:192.0.2.7',
      ],
      ...['--shm-size', '32m', '--ulimit', 'nofile=1000:2000'],
    ],
    differs: /^# "LABEL b=flag.*\n/m,
  },
};

export const cases: Record<string, DockerfileCase> = { ...builds, ...failures() };
