import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { RunFailed } from '../../src/build/run-failed.ts';
import { errnoOf } from '../../src/stdx/errors.ts';
import { BuilderWorld } from '../support/builder.ts';

let world: BuilderWorld;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
});
after(async () => {
  // Nothing was opened when every test was filtered out.
  if (world === undefined) return;
  assert.deepEqual(world.storage.snapshots.list(), [], 'no snapshot is left behind');
  const { directory } = world;
  await world.close();
  assert.equal(
    readFileSync('/proc/self/mountinfo', 'utf8').includes(directory),
    false,
    'no mount is left behind',
  );
});

const tree = {
  'd/a.txt': 'a',
  'd/b.md': 'b',
  'd/sub/c.txt': 'c',
  'd/sub/deep/e.txt': 'e',
  'd/link': '-> a.txt',
  'one.txt': '1',
  'two.txt': '2',
};

interface Case {
  what: string;
  dockerfile: string;
  /** Listed directory, and what is in it. */
  at: string;
  expected: string[];
}

const cases: Case[] = [
  {
    what: 'a file to a new name, its directory made',
    dockerfile: 'COPY one.txt /x/y/z',
    at: '/x',
    expected: ['755 0:0 directory y', '644 0:0 file y/z'],
  },
  {
    what: 'a file into a directory that is there',
    dockerfile: 'RUN mkdir /x\nCOPY one.txt /x',
    at: '/x',
    expected: ['644 0:0 file one.txt'],
  },
  {
    what: 'several by wildcard',
    dockerfile: 'COPY *.txt d/?.md /x/',
    at: '/x',
    expected: ['644 0:0 file b.md', '644 0:0 file one.txt', '644 0:0 file two.txt'],
  },
  {
    what: "a directory's content, owner and mode",
    dockerfile: 'COPY --chown=web:staff --chmod=u=rwX,go= d /x',
    at: '/x',
    expected: [
      '600 33:50 file a.txt',
      '600 33:50 file b.md',
      '777 33:50 symlink link -> a.txt',
      '700 33:50 directory sub',
      '600 33:50 file sub/c.txt',
      '700 33:50 directory sub/deep',
      '600 33:50 file sub/deep/e.txt',
    ],
  },
  {
    what: 'exclude',
    dockerfile: 'COPY --exclude=*.md --exclude=sub/** --exclude=link d /x/',
    at: '/x',
    expected: ['644 0:0 file a.txt', '755 0:0 directory sub'],
  },
  {
    what: 'parents',
    dockerfile: 'COPY --parents d/sub/c.txt d/./sub/deep/e.txt /x/',
    at: '/x',
    expected: [
      '755 0:0 directory d',
      '755 0:0 directory d/sub',
      '644 0:0 file d/sub/c.txt',
      '755 0:0 directory sub',
      '755 0:0 directory sub/deep',
      '644 0:0 file sub/deep/e.txt',
    ],
  },
  {
    what: 'relative to WORKDIR',
    dockerfile: 'WORKDIR /x\nWORKDIR y\nCOPY one.txt .',
    at: '/x',
    expected: ['755 0:0 directory y', '644 0:0 file y/one.txt'],
  },
  {
    what: 'WORKDIR belongs to USER',
    dockerfile: 'USER web\nWORKDIR /x/y',
    at: '/x',
    expected: ['755 33:34 directory y'],
  },
  {
    what: 'a link in the destination stays inside',
    dockerfile: 'RUN mkdir /x && ln -s /x /l\nCOPY one.txt /l/',
    at: '/x',
    expected: ['644 0:0 file one.txt'],
  },
  {
    what: 'link',
    dockerfile: 'COPY --link --chown=web one.txt /x/',
    at: '/x',
    expected: ['644 33:34 file one.txt'],
  },
  {
    what: 'from a stage, owner kept',
    dockerfile: 'COPY --from=first /made /x/',
    at: '/x',
    expected: ['644 33:34 file made'],
  },
  {
    what: 'from an image',
    dockerfile: 'COPY --from=busybox /etc/group /x/',
    at: '/x',
    expected: ['644 0:0 file group'],
  },
  {
    what: 'variables in paths',
    dockerfile: 'ARG N=one\nENV D=/x\nCOPY ${N}.txt $D/',
    at: '/x',
    expected: ['644 0:0 file one.txt'],
  },
  {
    what: 'heredocs',
    dockerfile: 'COPY <<a <<b /x/\n1\na\n2\nb',
    at: '/x',
    expected: ['644 0:0 file a', '644 0:0 file b'],
  },
];

test('where COPY and WORKDIR put things', async t => {
  for (const { what, dockerfile, at, expected } of cases) {
    await t.test(what, async () => {
      const text = `FROM busybox AS first\nRUN echo > /made && chown 33:34 /made\nFROM busybox\n${dockerfile}`;
      const { imageId } = await world.build({ ...tree, Dockerfile: text });
      assert.deepEqual(await world.list(imageId, at), expected);
    });
  }
});

const outputs: [what: string, dockerfile: string, expected: string][] = [
  ['shell form', 'RUN echo "$0 $A" > /o', '/bin/sh env\n'],
  ['exec form', 'RUN ["sh", "-c", "echo $0 > /o", "me"]', 'me\n'],
  ['heredoc', 'RUN <<EOF\nX=1\necho $X > /o\nEOF', '1\n'],
  ['heredoc with a command', 'RUN cat <<E1 > /o; cat <<E2 >> /o\na $A\nE1\nb\nE2', 'a env\nb\n'],
  ['heredoc with an interpreter', 'RUN <<EOF\n#!/bin/sh\necho $0 > /o\nEOF', '/dev/pipes/EOF\n'],
  [
    'heredocs of two commands in a row',
    'RUN <<-"A B" cat > /o && <<C cat >> /o\n\ta $A\nA B\nb\nC',
    'a $A\nb\n',
  ],
  ['arguments', 'ARG V=1\nARG W\nRUN echo "$V$W" > /o', '1given\n'],
  ['no argument without ARG', 'RUN echo "<$W>" > /o', '<>\n'],
  ['predefined proxies', 'RUN echo $HTTP_PROXY > /o', 'http://proxy\n'],
  [
    'platform',
    'ARG TARGETARCH\nARG TARGETPLATFORM\nRUN echo $TARGETARCH $TARGETPLATFORM > /o',
    'amd64 linux/amd64\n',
  ],
  ['SHELL', 'SHELL ["/bin/sh", "-xc"]\nRUN echo a > /o', 'a\n'],
  ['WORKDIR', 'WORKDIR /w\nRUN pwd > /o', '/w\n'],
  ['COPY heredoc expands', 'COPY <<o /\n"$A" \\$A\no', '"env" $A\n'],
  ['COPY quoted heredoc does not', 'COPY <<"o" /\n"$A"\no', '"$A"\n'],
  ['bind mount of the context', 'RUN --mount=target=/ctx cat /ctx/d/a.txt > /o', 'a'],
  ['bind mount of a stage', 'RUN --mount=from=first,source=/made,target=/m cat /m > /o', 'made\n'],
  [
    'writable bind mount, thrown away',
    'RUN --mount=from=first,target=/m,rw echo x > /m/made && cat /m/made > /o\nRUN --mount=from=first,target=/m cat /m/made >> /o',
    'x\nmade\n',
  ],
  ['tmpfs', 'RUN --mount=type=tmpfs,target=/t echo x > /t/x && ls /t > /o', 'x\n'],
];

test('what RUN sees', async t => {
  for (const [what, dockerfile, expected] of outputs) {
    await t.test(what, async () => {
      const text = `FROM busybox AS first\nRUN echo made > /made\nFROM busybox\nENV A=env\n${dockerfile}`;
      const buildArgs = { W: 'given', HTTP_PROXY: 'http://proxy' };
      const { imageId } = await world.build({ ...tree, Dockerfile: text }, { buildArgs });
      assert.equal(await world.read(imageId, '/o'), expected);
      const top = await world.list(imageId, '/');
      for (const stub of ['ctx', 'm', 't'])
        assert.ok(!top.some(line => line.endsWith(` ${stub}`)), `no stub ${stub}`);
    });
  }
});

test('a cache mount outlives builds, and begins with what --from holds', async () => {
  const run = (text: string) => ({
    Dockerfile: `FROM busybox\nRUN --mount=type=cache,target=/c,id=one ${text}`,
  });
  await world.build(run('echo 1 >> /c/log'));
  await world.build(run('echo 2 >> /c/log'));
  const { imageId } = await world.build(run('cat /c/log > /o'));
  assert.equal(await world.read(imageId, '/o'), '1\n2\n');
  const filled = await world.build({
    Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/c,from=busybox,source=/etc ls /c > /o',
  });
  assert.equal(await world.read(filled.imageId, '/o'), 'group\npasswd\n');
});

test('ADD unpacks archives, copies other files, and fetches', async () => {
  const prepare = (context: string): void => {
    mkdirSync(join(context, 't'));
    writeFileSync(join(context, 't/in.txt'), 'in');
    const tar = spawnSync('tar', ['-C', join(context, 't'), '--owner=5', '--group=6', '-c', 'in.txt']).stdout;
    writeFileSync(join(context, 'plain.tar'), tar);
    writeFileSync(join(context, 'packed.bin'), gzipSync(tar));
    writeFileSync(join(context, 'text.gz'), gzipSync('only text'));
  };
  const dockerfile =
    'FROM scratch\nADD plain.tar /p/\nADD packed.bin /q\nADD text.gz /r/\nADD --unpack=false plain.tar /s/\nADD --chown=7:8 plain.tar /u/';
  const { imageId } = await world.build({ Dockerfile: dockerfile }, {}, { prepare });
  assert.deepEqual(await world.list(imageId, '/'), [
    '755 0:0 directory p',
    '644 5:6 file p/in.txt',
    '755 0:0 directory q',
    '644 5:6 file q/in.txt',
    '755 0:0 directory r',
    '644 0:0 file r/text.gz',
    '755 0:0 directory s',
    '644 0:0 file s/plain.tar',
    '755 7:8 directory u',
    '644 7:8 file u/in.txt',
  ]);
});

test('ADD of a URL', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/file.txt' ? 200 : 404;
    response.setHeader('last-modified', 'Sat, 01 Jan 2022 00:00:00 GMT');
    response.end('fetched');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sum = `sha256:${createHash('sha256').update('fetched').digest('hex')}`;
  const build = (line: string) => world.build({ Dockerfile: `FROM scratch\n${line}` });
  try {
    const { imageId } = await build(`ADD --checksum=${sum} ${url}/file.txt /d/`);
    assert.deepEqual(await world.list(imageId, '/d'), ['600 0:0 file file.txt']);
    const sum512 = createHash('sha512').update('fetched').digest('hex');
    const checked = `FROM busybox\nADD --checksum=sha512:${sum512} ${url}/file.txt /\nRUN stat -c %Y /file.txt > /o`;
    assert.equal(
      await world.read((await world.build({ Dockerfile: checked })).imageId, '/o'),
      '1640995200\n',
    );
    await assert.rejects(
      build(`ADD --checksum=${sum.replace(/.$/, 'x')} ${url}/file.txt /d/`),
      /invalid checksum digest format/,
    );
    await assert.rejects(build(`ADD --checksum=sha256:${'0'.repeat(64)} ${url}/file.txt /d/`), {
      kind: 'corrupt',
    });
    await assert.rejects(build(`ADD ${url}/none /d/`), /failed to GET .*\/none with status 404 Not Found/);
    await assert.rejects(build(`ADD ${url}/ /d/`), /cannot determine filename from url/);
  } finally {
    server.close();
  }
});

test('the image: configuration, history, empty layers', async () => {
  const dockerfile = [
    'FROM busybox AS unused',
    'RUN exit 1',
    'FROM busybox AS web',
    'LABEL a=b',
    'ARG V=1',
    'RUN true',
    'RUN echo > /x',
    'EXPOSE 80',
    'ENTRYPOINT ["/x"]',
  ];
  const request = {
    tags: ['web', 'web:2'],
    labels: { 'c.d': 'e f $x' },
    target: 'web',
    buildArgs: { NOPE: '1' },
  };
  const { image, text } = await world.build({ Dockerfile: dockerfile.join('\n') }, request);
  const { config, history, rootfs } = image.config;
  assert.deepEqual(config!.Labels, { a: 'b', 'c.d': 'e f $x' });
  assert.deepEqual([config!.Entrypoint, config!.Cmd], [['/x'], undefined]);
  assert.deepEqual(image.references, ['web:2', 'web:latest']);
  const base = world.images.resolve('busybox').config;
  assert.deepEqual(
    history!
      .slice(base.history!.length)
      .map(entry => `${entry.empty_layer === true ? '-' : '+'} ${entry.created_by}`),
    [
      '- LABEL a=b',
      '- ARG V=1',
      '- RUN |1 V=1 /bin/sh -c true # buildkit',
      '+ RUN |1 V=1 /bin/sh -c echo > /x # buildkit',
      '- EXPOSE [80/tcp]',
      '- ENTRYPOINT ["/x"]',
      '- LABEL c.d=e f $x',
    ],
  );
  assert.equal(rootfs.diff_ids.length, base.rootfs.diff_ids.length + 1);
  assert.deepEqual(
    text.split('\n').filter(line => !line.startsWith(' ')),
    [
      'Step 1/8 : FROM busybox AS web',
      'Step 2/8 : LABEL a=b',
      'Step 3/8 : ARG V=1',
      'Step 4/8 : RUN true',
      ...text.match(/^Removing.*$/gm)!.slice(0, 1),
      'Step 5/8 : RUN echo > /x',
      ...text.match(/^Removing.*$/gm)!.slice(1),
      'Step 6/8 : EXPOSE 80',
      'Step 7/8 : ENTRYPOINT ["/x"]',
      'Step 8/8 : LABEL c.d=e f $x',
      '[Warning] One or more build-args [NOPE] were not consumed',
      `Successfully built ${image.id.slice(7, 19)}`,
      'Successfully tagged web:latest',
      'Successfully tagged web:2',
      '',
    ],
  );
});

test('SOURCE_DATE_EPOCH', async () => {
  const { image } = await world.build(
    { Dockerfile: 'FROM scratch\nCOPY Dockerfile /' },
    { buildArgs: { SOURCE_DATE_EPOCH: '86400' } },
  );
  assert.equal(image.config.created, '1970-01-02T00:00:00Z');
  assert.equal(image.config.history![0]!.created, '1970-01-02T00:00:00Z');
});

test('ONBUILD runs with the image that is built on it', async () => {
  const parent = 'FROM busybox\nONBUILD ARG N=2\nONBUILD COPY one.txt /one\nONBUILD RUN echo $N > /n';
  await world.build({ Dockerfile: parent }, { tags: ['parent'] });
  const { image, imageId, text } = await world.build({
    ...tree,
    Dockerfile: 'FROM parent\nRUN cat /n /one > /o',
  });
  assert.equal(await world.read(imageId, '/o'), '2\n1');
  assert.equal(image.config.config!.OnBuild, undefined);
  assert.match(text, /^Step 1\/2 : FROM parent\n# Executing 3 build triggers\n/);
});

test('ONBUILD may take from a stage that nothing else needs, but not from one that waits for it', async () => {
  const parent = (from: string) => `FROM busybox\nONBUILD COPY --from=${from} /f /g`;
  await world.build({ Dockerfile: parent('extra') }, { tags: ['taker'] });
  const dockerfile =
    'FROM busybox AS deep\nRUN echo deep > /f\nFROM deep AS extra\nFROM taker\nRUN cat /g > /o';
  const { imageId, text } = await world.build({ Dockerfile: dockerfile });
  assert.equal(await world.read(imageId, '/o'), 'deep\n');
  assert.match(text, /\nStep 2\/2 : RUN cat/);
  await world.build({ Dockerfile: parent('last') }, { tags: ['waiter'] });
  await assert.rejects(
    world.build({ Dockerfile: 'FROM waiter AS first\nFROM first AS last' }),
    /^EngineError: circular dependency detected on stage: first\n/,
  );
});

test('independent stages run at once', async () => {
  // A stage ends when its sleep is killed, and none is before all of them sleep. Nobody else sleeps so long.
  const line = `sleep ${1_000_000 + process.pid}`;
  const stages = ['a', 'b', 'c'].map(name => `FROM busybox AS ${name}\nRUN echo ${name} > /f; ${line}; true`);
  const copies = ['a', 'b', 'c'].map(name => `COPY --from=${name} /f /${name}`);
  const building = world.build({ Dockerfile: [...stages, 'FROM scratch', ...copies].join('\n') });
  let sleeping = processesOf(line);
  for (const deadline = Date.now() + 120_000; sleeping.length < 3 && Date.now() < deadline; ) {
    await sleep(50);
    sleeping = processesOf(line);
  }
  const together = sleeping.length;
  const release = setInterval(() => processesOf(line).forEach(kill), 50);
  const { imageId } = await building.finally(() => clearInterval(release));
  assert.equal(together, 3);
  assert.equal(await world.read(imageId, '/b'), 'b\n');
});

/** Pids of what runs with just these arguments, in whatever container. */
function processesOf(line: string): number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.filter(pid => argumentsOf(pid) === line).map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0$/, '').replaceAll('\0', ' ');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

const faults: [what: string, dockerfile: string, message: string][] = [
  ['a command that fails', 'RUN exit 7', "The command '/bin/sh -c exit 7' returned a non-zero code: 7"],
  [
    'a missing source',
    'COPY nope /',
    'COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist',
  ],
  [
    'an ignored source',
    'COPY secret /',
    'COPY failed: file not found in build context or excluded by .dockerignore: stat secret: file does not exist',
  ],
  ['outside the context', 'COPY ../x /', 'COPY failed: forbidden path outside the build context: ../x ()'],
  [
    'a link to the outside',
    'COPY out /',
    'COPY failed: file not found in build context or excluded by .dockerignore: stat out: file does not exist',
  ],
  [
    'a missing source in a stage',
    'COPY --from=busybox /nope /',
    'COPY failed: stat nope: file does not exist',
  ],
  ['a missing image', 'COPY --from=none /a /', 'invalid from flag value none: pull access denied for none'],
  [
    'a missing user',
    'COPY --chown=nobody one.txt /',
    "unable to convert uid/gid chown string to host mapping: can't find uid for user nobody: no such user: nobody",
  ],
  [
    'several to a file',
    'COPY one.txt two.txt /x',
    'When using COPY with more than one source file, the destination must be a directory and end with a /',
  ],
];

test('faults, with their place, and nothing left behind', async t => {
  for (const [what, line, message] of faults) {
    await t.test(what, async () => {
      const files = {
        ...tree,
        secret: 's',
        out: '-> /etc/gantry-none',
        '.dockerignore': 'secret',
        Dockerfile: `FROM busybox\n${line}`,
      };
      await assert.rejects(world.build(files), (error: Error) => {
        const [first, place] = error.message.split('\n');
        assert.deepEqual([first, place], [message, 'Dockerfile:2']);
        if (error instanceof RunFailed) assert.equal(error.exitCode, 7);
        return true;
      });
    });
  }
  assert.deepEqual(world.storage.snapshots.list(), []);
});

test('requests that cannot be', async () => {
  const build = (request: object, text = 'FROM busybox') => world.build({ Dockerfile: text }, request);
  await assert.rejects(build({ target: 'x' }), { message: 'failed to reach build target x in Dockerfile' });
  await assert.rejects(build({ dockerfile: 'none' }), {
    message: 'Cannot locate specified Dockerfile: none',
  });
  await assert.rejects(build({ dockerfile: '../x' }), {
    message: 'the Dockerfile (../x) must be within the build context',
  });
  await assert.rejects(build({}, ' '), { message: 'failed to parse Dockerfile: file with no instructions' });
  await assert.rejects(build({ tags: ['BAD'] }), { kind: 'invalid' });
  await assert.rejects(build({ squash: true }), { kind: 'notImplemented' });
  await assert.rejects(build({ cacheTo: [{ type: 'local', attributes: {} }] }), {
    message: 'exporting the build cache: local cache requires dest attribute',
  });
  const syntax = /^EngineError: syntax me\/mine:1 is not supported: only docker\/dockerfile is$/;
  await assert.rejects(build({}, '# syntax=me/mine:1\nFROM busybox'), syntax);
  await assert.rejects(build({ buildArgs: { BUILDKIT_SYNTAX: 'me/mine:1' } }), syntax);
  await build({}, '# syntax=docker/dockerfile:1.4-labs\nFROM busybox');
  await build({}, '# syntax=mirror.test:5000/docker.io/docker/dockerfile:1\nFROM busybox');
  await assert.rejects(build({}, 'FROM --platform=linux/arm64 busybox'), /pull access denied/);
});

test('a build that is cancelled ends its step and leaves nothing', async () => {
  const abort = new AbortController();
  const building = world.build(
    { Dockerfile: 'FROM busybox\nRUN echo > /x; sleep 60' },
    {},
    { signal: abort.signal },
  );
  const started = world.executor.steps.length;
  while (world.executor.steps.length === started) await new Promise(resolve => setImmediate(resolve));
  abort.abort();
  await assert.rejects(building, { kind: 'cancelled' });
  assert.deepEqual(world.storage.snapshots.list(), []);
  assert.deepEqual(readdirSync(join(world.directory, 'data/build/tmp')), []);
});

test('one failing stage stops the others', async () => {
  const dockerfile = 'FROM busybox AS slow\nRUN sleep 60\nFROM busybox\nRUN exit 3\nCOPY --from=slow / /';
  await assert.rejects(world.build({ Dockerfile: dockerfile }), /returned a non-zero code: 3/);
});
