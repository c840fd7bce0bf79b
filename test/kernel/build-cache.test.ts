import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuildCache, cacheOwner, keyOf } from '../../src/build/cache.ts';
import { CacheUsage } from '../../src/build/cache-usage.ts';
import { noLimits } from '../../src/build/executor.ts';
import { parseGcFilters } from '../../src/build/prune-plan.ts';
import type { BuildRequest } from '../../src/build/request.ts';
import { TreeMemory } from '../../src/build/source-tree.ts';
import { CacheMounts } from '../../src/build/steps/cache-mounts.ts';
import { lsetxattr } from '../../src/linux/files.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { BuilderWorld, type Built, hitsOf } from '../support/builder.ts';

let world: BuilderWorld;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
  // FROM of it is nothing new to any test.
  await world.build({ Dockerfile: 'FROM busybox\nENV A=b' });
});
after(() => world?.close());

// The first RUN never writes the same twice: run anew, it gives another parent to all that follow.
const dockerfile = `FROM busybox
ARG VERSION=1
ENV MODE=a
RUN cat /proc/sys/kernel/random/uuid > /v
COPY src /src
COPY --chown=5:6 one.txt /one.txt
RUN cat /src/a > /copied
CMD ["sh"]
`;
const files = {
  'src/a': 'A',
  'src/sub/b': 'B',
  'src/link': '-> a',
  'one.txt': '1',
  ignored: 'x',
  '.dockerignore': 'ignored\n.dockerignore\nDockerfile',
};

/** Why steps on files were built anew, in their order. */
function reasonsOf(built: Built): string[] {
  return built.events.flatMap(event =>
    event.type === 'stepExplained' && !event.hit && event.reason.kind !== 'configuration'
      ? event.sentence
      : [],
  );
}

interface Edit {
  what: string;
  /** In the context, after it was written. */
  edit?: (context: string) => void;
  dockerfile?: [string, string];
  request?: Partial<BuildRequest>;
  /** h(it) or m(iss) for each of the four steps; one more for a WORKDIR. */
  expected: string;
  /** Why the first miss was one. */
  because?: string | RegExp;
}

const edits: Edit[] = [
  { what: 'nothing', expected: 'hhhh' },
  {
    what: 'content',
    edit: at => writeFileSync(join(at, 'src/a'), 'Z'),
    expected: 'hmmm',
    because: 'src/a changed',
  },
  {
    what: 'content of the other file',
    edit: at => writeFileSync(join(at, 'one.txt'), '2'),
    expected: 'hhmm',
  },
  {
    what: 'mode',
    edit: at => chmodSync(join(at, 'src/sub/b'), 0o755),
    expected: 'hmmm',
    because: 'src/sub/b has other attributes from 644 0:0 to 755 0:0',
  },
  { what: 'mode of a directory', edit: at => chmodSync(join(at, 'src/sub'), 0o700), expected: 'hmmm' },
  {
    what: 'mode and owner of the directory whose content is copied',
    edit: at => {
      chmodSync(join(at, 'src'), 0o700);
      chownSync(join(at, 'src'), 7, 7);
    },
    expected: 'hhhh',
  },
  { what: 'time only', edit: at => utimesSync(join(at, 'src/a'), 1, 1), expected: 'hhhh' },
  { what: 'rename', edit: at => renameSync(join(at, 'src/a'), join(at, 'src/c')), expected: 'hmm!' },
  { what: 'a new file', edit: at => writeFileSync(join(at, 'src/new'), ''), expected: 'hmmm' },
  { what: 'a file gone', edit: at => rmSync(join(at, 'src/sub/b')), expected: 'hmmm' },
  {
    what: 'a file outside what is copied',
    edit: at => writeFileSync(join(at, 'other'), ''),
    expected: 'hhhh',
  },
  { what: 'an ignored file', edit: at => writeFileSync(join(at, 'ignored'), 'y'), expected: 'hhhh' },
  {
    what: 'where a link leads',
    edit: at => {
      rmSync(join(at, 'src/link'));
      symlinkSync('b', join(at, 'src/link'));
    },
    expected: 'hmmm',
    because: 'src/link has other attributes from 777 0:0 -> a to 777 0:0 -> b',
  },
  {
    what: 'an extended attribute',
    edit: at => lsetxattr(join(at, 'src/a'), 'user.x', Buffer.from('1')),
    expected: 'hmmm',
    because: /^src\/a has other attributes/,
  },
  { what: 'a new symbolic link', edit: at => symlinkSync('a', join(at, 'src/l')), expected: 'hmmm' },
  { what: 'another hard link', edit: at => linkSync(join(at, 'src/a'), join(at, 'src/h')), expected: 'hmmm' },
  {
    what: 'two names of one file instead of two files',
    edit: at => {
      rmSync(join(at, 'src/sub/b'));
      linkSync(join(at, 'src/a'), join(at, 'src/sub/b'));
    },
    expected: 'hmmm',
  },
  {
    what: 'owner',
    edit: at => {
      chownSync(join(at, 'src/a'), 7, 7);
      // COPY drops the owner: in the first build's second, the very same layer would come of it.
      utimesSync(join(at, 'src/a'), 2, 2);
    },
    expected: 'hmmm',
  },
  {
    what: 'a build argument',
    request: { buildArgs: { VERSION: '2' } },
    expected: 'mmmm',
    because: 'build argument VERSION changed from 1 to 2',
  },
  { what: 'the same build argument', request: { buildArgs: { VERSION: '1' } }, expected: 'hhhh' },
  { what: 'an argument nobody reads', request: { buildArgs: { OTHER: '2' } }, expected: 'hhhh' },
  { what: 'a proxy', request: { buildArgs: { HTTP_PROXY: 'http://p' } }, expected: 'hhhh' },
  {
    what: 'the environment',
    dockerfile: ['MODE=a', 'MODE=b'],
    expected: 'mmmm',
    because: 'variable MODE changed from a to b',
  },
  { what: 'a comment', dockerfile: ['FROM', '# new\nFROM'], expected: 'hhhh' },
  { what: 'CMD', dockerfile: ['CMD ["sh"]', 'CMD ["ls"]'], expected: 'hhhh' },
  { what: 'LABEL above', dockerfile: ['ENV MODE', 'LABEL a=b\nENV MODE'], expected: 'hhhh' },
  {
    what: 'USER',
    dockerfile: ['ENV MODE', 'USER 0:0\nENV MODE'],
    expected: 'mmmm',
    because: 'USER changed from nothing to 0:0',
  },
  { what: 'WORKDIR', dockerfile: ['ENV MODE', 'WORKDIR /etc\nENV MODE'], expected: 'mmmmm' },
  { what: 'SHELL', dockerfile: ['ENV MODE', 'SHELL ["/bin/sh", "-ec"]\nENV MODE'], expected: 'mmmm' },
  {
    what: 'the network',
    request: { networkMode: 'none' },
    expected: 'mmmm',
    because: 'network changed from default to none',
  },
  {
    what: 'the network of one step',
    dockerfile: ['RUN cat /src', 'RUN --network=none cat /src'],
    expected: 'hhhm',
  },
  {
    what: 'a mount',
    dockerfile: ['RUN cat /src', 'RUN --mount=type=tmpfs,target=/t cat /src'],
    expected: 'hhhm',
  },
  {
    what: 'an option of a mount',
    dockerfile: ['RUN cat /src', 'RUN --mount=type=tmpfs,target=/u cat /src'],
    expected: 'hhhm',
  },
  {
    what: 'a file seen by a mount',
    dockerfile: ['RUN cat /src', 'RUN --mount=source=one.txt,target=/t cat /src'],
    expected: 'hhhm',
  },
  {
    what: 'a limit',
    request: { limits: { ...noLimits, ulimits: [{ name: 'nofile', soft: 64, hard: 64 }] } },
    expected: 'mmmm',
  },
  { what: 'size of /dev/shm', request: { limits: { ...noLimits, shmSizeBytes: 1 << 20 } }, expected: 'mmmm' },
  { what: 'an extra host', request: { extraHosts: ['a:1.2.3.4'] }, expected: 'mmmm' },
  {
    what: 'the command',
    dockerfile: ['> /v', '>> /v'],
    expected: 'mmmm',
    because: 'the instruction changed; it was RUN cat /proc/sys/kernel/random/uuid > /v',
  },
  { what: 'owner of the copy', dockerfile: ['5:6', '5:7'], expected: 'hhmm' },
  { what: 'destination', dockerfile: ['/one.txt', '/two.txt'], expected: 'hhmm' },
  { what: 'no cache', request: { noCache: true }, expected: 'mmmm', because: 'the cache was not to be used' },
  { what: 'no cache for another stage', request: { noCacheStages: ['other'] }, expected: 'hhhh' },
  { what: 'no cache for this stage', request: { noCacheStages: ['0'] }, expected: 'mmmm' },
];

test('an edit rebuilds exactly what depends on it', async t => {
  await world.build({ ...files, Dockerfile: dockerfile });
  for (const { what, edit, dockerfile: replace, request, expected, because } of edits) {
    await t.test(what, async () => {
      if (expected.endsWith('!')) {
        const building = world.build({ ...files, Dockerfile: dockerfile }, request, { prepare: edit });
        await assert.rejects(building, /returned a non-zero code: 1/);
        return;
      }
      // A miss is explained by what the step was made of the last time.
      if (because !== undefined) await world.build({ ...files, Dockerfile: dockerfile });
      const text = replace === undefined ? dockerfile : dockerfile.replace(replace[0], replace[1]);
      const built = await world.build({ ...files, Dockerfile: text }, request, { prepare: edit });
      const letters = hitsOf(built).map(line => (line.endsWith(': hit') ? 'h' : 'm'));
      assert.equal(letters.join(''), expected, hitsOf(built).join('\n'));
      if (because !== undefined) {
        const [reason = ''] = reasonsOf(built);
        if (typeof because === 'string') assert.equal(reason, because);
        else assert.match(reason, because);
      }
    });
  }
});

test('another platform builds anew what can see it', async () => {
  const text = `FROM --platform=$BUILDPLATFORM busybox AS build
RUN cat /proc/sys/kernel/random/uuid > /of-this-machine
ARG TARGETARCH
RUN echo $TARGETARCH > /arch
FROM scratch
COPY --from=build /arch /of-this-machine /
`;
  const letters = async (platform: string) => {
    const built = await world.build({ Dockerfile: text }, { platform });
    const hits = hitsOf(built).map(line => (line.endsWith(': hit') ? 'h' : 'm'));
    const { architecture } = world.images.get(built.imageId)!.config;
    return { hits: hits.join(''), architecture, arch: await world.read(built.imageId, '/arch') };
  };
  const [own, foreign] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
  const built = (hits: string, architecture: string) => ({ hits, architecture, arch: `${architecture}\n` });
  assert.deepEqual(await letters(`linux/${own}`), built('mmm', own!));
  assert.deepEqual(await letters(`linux/${foreign}`), built('hmm', foreign!));
  assert.deepEqual(await letters(`linux/${own}`), built('hhh', own!));
  assert.deepEqual(await letters(''), built('hhh', own!));
});

test('a linked copy is one layer on every base where it replaces nothing', async () => {
  const on = (made: string) =>
    world.build({ f: 'linked', Dockerfile: `FROM busybox\nRUN ${made}\nCOPY --link f /way/to/f\n` });
  const top = (built: Built) => world.images.get(built.imageId)!.config.rootfs.diff_ids.at(-1);
  const first = await on('echo one > /base');
  const second = await on('mkdir /way && echo two > /base');
  assert.equal(top(second), top(first));
  assert.match(hitsOf(second).join('\n'), /COPY --link .*: hit/);
  const third = await on('mkdir -m 700 /way && echo three > /base');
  assert.notEqual(top(third), top(first));
  assert.equal(await world.read(third.imageId, '/way/to/f'), 'linked');
});

test('what is below a step explains it: the step where it began, the base, what was pruned', async () => {
  const child = (text: string) => ({ Dockerfile: `FROM busybox\nRUN ${text} > /a\nRUN cat /a > /b\n` });
  const request = { tags: ['chain'] };
  const [one, two] = ['cat /proc/sys/kernel/random/uuid', 'cat /proc/sys/kernel/random/boot_id; echo'];
  assert.deepEqual(reasonsOf(await world.build(child(one), request)), [
    'never built here before',
    'never built here before',
  ]);
  assert.deepEqual(reasonsOf(await world.build(child(two), request)), [
    `the instruction changed; it was RUN ${one} > /a`,
    `RUN ${two} > /a, on which it builds, was built anew`,
  ]);
  assert.deepEqual(reasonsOf(await world.build(child(two), request)), []);
  await world.build({ Dockerfile: 'FROM busybox\nENV A=b' }, { tags: ['moving'] });
  const onBase = { Dockerfile: 'FROM moving\nRUN echo base > /base' };
  await world.build(onBase);
  await world.build({ Dockerfile: 'FROM busybox\nRUN echo more > /more' }, { tags: ['moving'] });
  const [base = '', run] = reasonsOf(await world.build(onBase));
  assert.match(base, /^the base image changed from [0-9a-f]{12} to [0-9a-f]{12}$/);
  assert.equal(run, 'variable A is gone');
  // Each stage knows what it stood on, though others stand on the same.
  const several = { Dockerfile: 'FROM moving AS one\nFROM moving AS two\nCOPY --from=one /more /two\n' };
  await world.build(several);
  assert.deepEqual(reasonsOf(await world.build(several)), []);
});

test('an image from elsewhere never passes for a result (CVE-2024-24557)', async () => {
  const file = (check: string) => ({
    f: 'right',
    Dockerfile: `FROM scratch\nHEALTHCHECK CMD ${check}\nONBUILD ENV A=${check}\nCOPY f /f\n`,
  });
  const first = await world.build(file('one'));
  const wrong = await world.build({ f: 'wrong', Dockerfile: 'FROM scratch\nCOPY f /f' });
  // As an attacker would make it: all that is told about it is the right image's, and the files are others.
  await world.images.create(first.image.config, { layers: world.storage.layers.chain(wrong.image.chainId!) });
  await world.images.remove(first.imageId, { force: false, noPrune: false, inUse: () => [] });
  await world.builder.prune({ all: true });
  const again = await world.build(file('one'));
  assert.equal(await world.read(again.imageId, '/f'), 'right');
  const other = await world.build(file('two'));
  assert.deepEqual(other.image.config.config?.Healthcheck?.Test, ['CMD-SHELL', 'two']);
  assert.deepEqual(other.image.config.config?.OnBuild, ['ENV A=two']);
});

test('stages that do not need each other run at once', async () => {
  // Each waits for the marks of all: one after the other, the first would wait for ever.
  const stage = (name: string) => `FROM busybox AS ${name}
RUN --mount=type=cache,target=/meet touch /meet/${name} && while [ $(ls /meet | wc -l) -lt 4 ]; do usleep 10000; done
`;
  const copies = ['a', 'b', 'c'].map(name => `COPY --from=${name} /bin/sh /${name}\n`);
  const text = `${['a', 'b', 'c', 'd'].map(stage).join('')}${copies.join('')}`;
  const built = await world.build({ Dockerfile: text }, {}, { signal: AbortSignal.timeout(120_000) });
  assert.equal(hitsOf(built).filter(line => line.startsWith('RUN')).length, 4);
});

test('everything from the cache is the same image', async () => {
  const first = await world.build({ ...files, Dockerfile: dockerfile });
  const second = await world.build({ ...files, Dockerfile: dockerfile });
  assert.equal(second.imageId, first.imageId);
  assert.match(second.text, / ---> Using cache\n/);
  assert.match(second.text, new RegExp(`Successfully built ${first.imageId.slice(7, 19)}\n$`));
});

test('another base misses, and so does a base with another environment', async () => {
  const child = 'FROM base\nRUN echo x > /x';
  await world.build({ Dockerfile: 'FROM busybox' }, { tags: ['base'] });
  assert.deepEqual(hitsOf(await world.build({ Dockerfile: child })), ['RUN echo x > /x: miss']);
  assert.deepEqual(hitsOf(await world.build({ Dockerfile: child })), ['RUN echo x > /x: hit']);
  await world.build({ Dockerfile: 'FROM busybox\nENV A=1' }, { tags: ['base'] });
  assert.deepEqual(hitsOf(await world.build({ Dockerfile: child })), ['RUN echo x > /x: miss']);
  await world.build({ Dockerfile: 'FROM busybox\nRUN echo > /other' }, { tags: ['base'] });
  assert.deepEqual(hitsOf(await world.build({ Dockerfile: child })), ['RUN echo x > /x: miss']);
  // What the command cannot see does not matter, and is the new base's in the result (CVE-2024-24557).
  await world.build({ Dockerfile: 'FROM busybox\nCMD ["evil"]\nLABEL a=b' }, { tags: ['base'] });
  const built = await world.build({ Dockerfile: child });
  assert.deepEqual(hitsOf(built), ['RUN echo x > /x: hit']);
  assert.deepEqual(
    [built.image.config.config!.Cmd, built.image.config.config!.Labels],
    [['evil'], { a: 'b' }],
  );
});

test('the same step of two builds at once runs once', async () => {
  const before = world.executor.steps.length;
  const file = { Dockerfile: 'FROM busybox\nRUN sleep 0.2; echo once; cat /proc/uptime > /u; echo > /a' };
  const [first, second] = await Promise.all([world.build(file), world.build(file)]);
  assert.equal(first.imageId, second.imageId);
  assert.equal(world.executor.steps.length, before + 1);
  for (const { text } of [first, second]) assert.match(text, /\nonce\n/);
});

test('prune drops rows and layers, and the next build makes them anew', async () => {
  const file = { Dockerfile: 'FROM busybox\nRUN echo prune > /p' };
  const { imageId } = await world.build(file);
  await world.images.remove(imageId, { force: false, noPrune: false, inUse: () => [] });
  const { deleted, reclaimedBytes } = await world.builder.prune({ all: true });
  assert.ok(deleted.length > 0 && reclaimedBytes > 0);
  assert.deepEqual(await world.builder.usage.list(), []);
  assert.deepEqual(hitsOf(await world.build(file)), ['RUN echo prune > /p: miss']);
});

test('cache mounts are listed, pruned, and gone with their rows or not at all', async () => {
  const { builder, storage } = world;
  await builder.prune({ all: true });
  const mount = (id: string) =>
    ['FROM busybox', `RUN --mount=type=cache,id=${id},target=/c echo ${id} | tee -a /c/f`].join('\n');
  await world.build({ Dockerfile: mount('one') });
  await world.build({ Dockerfile: mount('two') });
  const mounts = async () => (await builder.usage.list()).filter(record => record.type === 'exec.cachemount');
  const listed = (await mounts()).map(({ description, sizeBytes, usageCount }) => [
    description,
    sizeBytes,
    usageCount,
  ]);
  assert.deepEqual(listed.sort(), [
    ['cache mount with id "one"', 4, 1],
    ['cache mount with id "two"', 4, 1],
  ]);
  const pruned = await builder.prune({ all: false, matches: record => record.description.includes('"one"') });
  assert.deepEqual([pruned.deleted.length, pruned.reclaimedBytes], [1, 4]);
  assert.deepEqual((await mounts()).length, 1);
  // A kill while one is made, and while one is removed: what stands without a row goes, and a row without it.
  const directory = join(world.directory, 'data/build/mounts');
  mkdirSync(join(directory, 'gone-x'));
  const [two] = await mounts();
  renameSync(join(directory, two!.key), join(directory, 'new-x'));
  const reopened = await CacheMounts.open(directory, storage.database, storage.workers);
  assert.deepEqual([await reopened.list(), readdirSync(directory)], [[], []]);
  const again = await world.build({ Dockerfile: mount('two') }, { noCache: true });
  assert.match(again.text, /\ntwo\n/);
});

test('what images share is left by a prune that does not want all', async () => {
  const { builder } = world;
  await builder.prune({ all: true });
  const built = await world.build({ Dockerfile: 'FROM busybox\nRUN echo shared > /s' });
  assert.deepEqual(
    (await builder.usage.list()).map(record => record.shared),
    [true],
  );
  assert.deepEqual((await builder.prune({ all: false })).deleted, []);
  await world.images.remove(built.imageId, { force: false, noPrune: false, inUse: () => [] });
  assert.equal((await builder.prune({ all: false })).deleted.length, 1);
});

test('garbage collection keeps to its rules', async () => {
  const { storage, images, builder } = world;
  for (const name of ['a', 'b'])
    await world.build({ Dockerfile: `FROM busybox\nRUN echo ${name} > /${name}` }, { tags: [] });
  const all = await builder.usage.list();
  assert.equal(all.length, 2);
  const mounts = await CacheMounts.open(
    join(world.directory, 'data/build/mounts'),
    storage.database,
    storage.workers,
  );
  const usage = new CacheUsage({
    cache: builder.cache,
    mounts,
    images,
    storage,
    log: silentLog,
    gc: { enabled: true, rules: [{ all: true, filters: parseGcFilters(['type=regular']), maxUsedBytes: 2 }] },
  });
  await usage.collect();
  assert.deepEqual(
    (await usage.list()).map(record => record.key),
    [all[0]!.key],
  );
});

test('what is known of a context, a stage and an image is not looked at again', async t => {
  const context = join(world.directory, 'known');
  mkdirSync(join(context, 'd/sub'), { recursive: true });
  for (const name of ['d/a.txt', 'd/b.txt', 'd/sub/c', 'only']) writeFileSync(join(context, name), name);
  symlinkSync('d/a.txt', join(context, 'link'));
  execFileSync('tar', ['-cf', join(context, 'files.tar'), '-C', context, 'only']);
  const dockerfileText = [
    'FROM busybox AS made',
    'RUN mkdir /made && echo 1 > /made/one && echo 2 > /made/two',
    'FROM busybox',
    'USER web',
    'WORKDIR /home/web',
    'COPY --from=made --exclude=two /made /made',
    'COPY --chown=web:staff d/*.txt link /globbed/',
    'COPY --parents d/sub/c /parents/',
    'COPY --exclude=b.txt d /excluded',
    'ADD files.tar /added/',
    'COPY <<text /text',
    'hello',
    'text',
    'RUN --mount=type=bind,source=d,target=/d cat /d/a.txt',
  ].join('\n');
  const confine = t.mock.method(world.storage, 'confine');
  const build = (memory: TreeMemory, request: Partial<BuildRequest> = {}) => {
    const bringContext = async () => ({ directory: context, memory });
    return world.build({}, { dockerfileText, ignoreText: '', bringContext, ...request });
  };
  const memory = new TreeMemory();
  const first = await build(memory);
  confine.mock.resetCalls();
  const again = await build(memory);
  assert.deepEqual([again.imageId, confine.mock.callCount()], [first.imageId, 0]);

  const lists = ({ imageId }: Built) =>
    Promise.all(
      ['/globbed', '/parents', '/excluded', '/added', '/made', '/home'].map(path =>
        world.list(imageId, path),
      ),
    );
  const expected = await lists(first);
  assert.match(
    expected.join(),
    /644 33:50 file a.txt,644 33:50 file b.txt,644 33:50 file link,.*,755 33:34 directory web/,
  );
  assert.deepEqual(
    await lists(await build(memory, { noCache: true })),
    expected,
    'made of what was remembered',
  );

  writeFileSync(join(context, 'd/a.txt'), 'changed');
  const changed = await build(memory.afterChange());
  const missed = hitsOf(changed).filter(line => line.endsWith(': miss'));
  assert.match(missed[0]!, /^COPY --chown=web:staff/);
  assert.equal(await world.read(changed.imageId, '/globbed/a.txt'), 'changed');
});

test('a row left half-done by a kill is dropped at the next start, with its layer', async () => {
  const { storage, builder } = world;
  const { image } = await world.build({
    Dockerfile: 'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /killed',
  });
  await builder.prune({ all: true });
  const key = keyOf({ step: 'killed' });
  builder.cache.begin(key, { parent: undefined, description: 'RUN killed' });
  storage.layers.reference(cacheOwner(key), image.chainId!);
  await world.images.remove(image.id, { force: false, noPrune: false, inUse: () => [] });
  assert.notEqual(storage.layers.get(image.chainId!), undefined, 'the row still holds it');
  const reopened = new BuildCache(storage, silentLog);
  assert.deepEqual([reopened.find(key), reopened.list(new Set())], [undefined, []]);
  await storage.layers.removeUnreferenced();
  assert.equal(storage.layers.get(image.chainId!), undefined);
});
