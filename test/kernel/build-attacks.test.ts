import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuilderWorld } from '../support/builder.ts';

/** Dockerfiles that reach for the host; named after what others fell for. */
let world: BuilderWorld;
/** A directory of the host. */
let host: string;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
  host = mkdtempSync(join(world.directory, 'host-'));
  writeFileSync(join(host, 'secret'), 'host secret');
  writeFileSync(join(host, 'empty'), '');
});
after(async () => {
  // Nothing was opened when every test was filtered out.
  if (world === undefined) return;
  assert.deepEqual(readdirSync(host).sort(), ['empty', 'secret'], 'the host is as it was');
  assert.deepEqual(world.storage.snapshots.list(), [], 'no snapshot is left behind');
  await world.close();
});

const build = (...lines: string[]) => world.build({ Dockerfile: ['FROM busybox', ...lines].join('\n') });

test('CVE-2024-23651: a part of a cache is looked for in the cache alone', async () => {
  const cache = (options: string) => `RUN --mount=type=cache,id=parts,target=/c${options}`;
  await build(`${cache('')} mkdir -p /c/a/b && echo in > /c/a/b/f && ln -s ${host} /c/out && ln -s a /c/way`);
  const { imageId } = await build(
    `${cache(',source=a/b')} cat /c/f > /o`,
    `${cache(',source=way/b')} cat /c/f >> /o`,
  );
  assert.equal(await world.read(imageId, '/o'), 'in\nin\n');
  await assert.rejects(build(`${cache(',source=out')} cat /c/secret`), /escapes the base directory/);
  await assert.rejects(build(`${cache(',source=none')} true`), /no such file or directory/);
});

test('CVE-2024-23652: what was made to mount on is not removed through a link', async () => {
  await build(
    `RUN --mount=type=tmpfs,target=/a/empty --mount=type=tmpfs,target=/a/sub mv /a /b && ln -s ${host} /a`,
    `RUN --mount=type=secret,id=none,target=/a/empty true`,
  );
  assert.deepEqual(readdirSync(host).sort(), ['empty', 'secret']);
});

test('CVE-2024-1753: the source of a bind mount stays in what it is from', async () => {
  const stage = ['RUN mkdir /d && echo stage > /d/f && ln -s / /all && ln -s ../../../../../.. /up'];
  const mounts = ['/all', '/up', '/all/up'].map(
    source => `RUN --mount=from=evil,source=${source},target=/m cat /m/d/f >> /o && [ ! -e /m${host} ]`,
  );
  const lines = ['FROM busybox AS evil', ...stage, 'FROM busybox', ...mounts];
  const { imageId } = await world.build({ Dockerfile: lines.join('\n') });
  assert.equal(await world.read(imageId, '/o'), 'stage\n'.repeat(3));
  const link = (path: string) => (context: string) => symlinkSync(path, join(context, 'link'));
  for (const path of [host, '/', join('../..', basename(host))]) {
    const line = `RUN --mount=source=link,target=/m [ ! -e /m${host} ] && [ ! -e /m/secret ]`;
    const building = world.build({ Dockerfile: `FROM busybox\n${line}` }, {}, { prepare: link(path) });
    if (path === '/') await building;
    else await assert.rejects(building, /failed to compute cache key: "\/link": not found/, path);
  }
});

test('CVE-2024-9407: a mount has no options but those that are known', async () => {
  const faults: [options: string, message: RegExp][] = [
    ['target=/m,bind-propagation=shared', /unexpected key 'bind-propagation'/],
    ['target=/m,rshared', /invalid field 'rshared' must be a key=value pair/],
    ['type=bind,target=/m,size=1', /unexpected key 'size'/],
    ['type=tmpfs,target=/m,from=busybox', /unexpected key 'from'/],
  ];
  for (const [options, message] of faults)
    await assert.rejects(build(`RUN --mount=${options} true`), message);
});

test('CVE-2024-9675: the id of a cache is no path', async () => {
  const caches = join(world.directory, 'data/build/mounts');
  const before = readdirSync(caches);
  await build(
    `RUN --mount=type=cache,id=../../../${basename(host)},target=/c [ ! -e /c/secret ] && echo x > /c/x`,
  );
  const made = readdirSync(caches).filter(name => !before.includes(name));
  assert.equal(made.length, 1);
  assert.match(made[0]!, /^[0-9a-f]{64}-\d+$/);
});

test('sources through links of the context, and of stages, end inside', async () => {
  const prepare = (context: string): void => {
    mkdirSync(join(context, 'd'));
    symlinkSync(host, join(context, 'd/out'));
    symlinkSync('/proc/self/root', join(context, 'root'));
  };
  for (const line of ['COPY d/out/secret /', 'COPY --parents d/out/secret /', 'COPY root/etc/hostname /'])
    await assert.rejects(
      world.build({ Dockerfile: `FROM busybox\n${line}` }, {}, { prepare }),
      /file not found in build context/,
      line,
    );
  // A wildcard may match nothing.
  await world.build({ Dockerfile: 'FROM busybox\nADD d/o*/secret /\nRUN [ ! -e /secret ]' }, {}, { prepare });
});
