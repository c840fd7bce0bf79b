import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createConnectionServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BuilderWorld, hitsOf } from '../support/builder.ts';

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
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  assert.equal(mounts.includes(directory), false, 'no mount is left behind');
});

test('a Dockerfile that does not come with the context', async () => {
  const dockerfileText = 'FROM busybox\nCOPY a /a\nRUN exit 4';
  await assert.rejects(world.build({ a: 'x' }, { dockerfileText, dockerfile: 'mine' }), /\nmine:3\n/);
  const { imageId } = await world.build(
    { a: 'x', Dockerfile: 'nonsense' },
    { dockerfileText: 'FROM busybox\nCOPY a /a' },
  );
  assert.equal(await world.read(imageId, '/a'), 'x');
});

test('stages that are not to be taken from the cache', async () => {
  const dockerfile =
    'FROM busybox AS One\nRUN echo 1 > /1\nFROM busybox\nRUN echo 2 > /2\nCOPY --from=one /1 /';
  const build = (noCacheStages: string[]) => world.build({ Dockerfile: dockerfile }, { noCacheStages });
  await build([]);
  const misses = async (stages: string[]) =>
    hitsOf(await build(stages))
      .filter(line => line.endsWith(': miss'))
      .map(line => line.slice(0, -6));
  assert.deepEqual(await misses(['none']), []);
  assert.deepEqual(await misses(['ONE']), ['RUN echo 1 > /1']);
  assert.deepEqual(await misses(['1']), ['RUN echo 2 > /2', 'COPY --from=one /1 /']);
});

test("the host's network needs permission", async () => {
  const refused = { message: /^network\.host is not allowed\n/ };
  const host = { Dockerfile: 'FROM busybox\nRUN --network=host true' };
  await assert.rejects(world.build(host, { entitlements: [] }), refused);
  await assert.rejects(
    world.build({ Dockerfile: 'FROM busybox\nRUN true' }, { entitlements: [], networkMode: 'host' }),
    refused,
  );
  await world.build(host);
  assert.equal(world.executor.steps.at(-1)?.network, 'host');
});

test('the linter speaks before the first step, and can forbid the build', async () => {
  const files = { Dockerfile: 'FROM busybox as a\nCOPY b /\nCMD sh', b: '', '.dockerignore': 'x' };
  const { events } = await world.build(files);
  const said = events.flatMap(event => (event.type === 'lintWarning' ? event.warning.rule : []));
  assert.deepEqual(said, ['FromAsCasing', 'JSONArgsRecommended']);
  assert.equal(events[0]?.type, 'lintWarning');
  await assert.rejects(world.build({ ...files, Dockerfile: `# check=error=true\n${files.Dockerfile}` }), {
    message: 'lint violation found for rules: FromAsCasing, JSONArgsRecommended',
  });
});

const secrets = async (id: string) => (id === 'token' ? Buffer.from('s3cret\n') : undefined);

test('a secret is a file or a variable, and in no layer, key or history', async () => {
  const files = (line: string) => ({ Dockerfile: `FROM busybox\n${line}` });
  const read = async (line: string, given: typeof secrets = secrets) => {
    const built = await world.build(files(line), { secrets: given });
    return { built, text: await world.read(built.imageId, '/o') };
  };
  const file =
    'RUN --mount=type=secret,id=token stat -c "%a %u:%g" /run/secrets/token > /o; wc -c < /run/secrets/token >> /o';
  const { built, text } = await read(file);
  assert.equal(text, '400 0:0\n7\n');
  const top = await world.list(built.imageId, '/');
  assert.deepEqual(
    top.filter(line => / (run|s)\b/.test(line)),
    [],
  );
  assert.doesNotMatch(JSON.stringify(built.image.config), /s3cret/);
  // Another value is the same step: it is in no key.
  const again = await world.build(files(file), { secrets: async () => Buffer.from('another') });
  assert.deepEqual(
    hitsOf(again).map(line => line.slice(-3)),
    ['hit'],
  );
  const owned =
    'RUN --mount=type=secret,id=token,target=/s/t,mode=0440,uid=33,gid=34 stat -c "%a %u:%g" /s/t > /o';
  assert.equal((await read(owned)).text, '440 33:34\n');
  assert.equal(
    (await read('RUN --mount=type=secret,id=token,env=T echo -n "$T" | wc -c > /o; ls /run >> /o || true'))
      .text,
    '7\n',
  );
  assert.equal(
    (await read('RUN --mount=type=secret,id=none ls /run/secrets > /o || echo none > /o')).text,
    'none\n',
  );
  await assert.rejects(
    read('RUN --mount=type=secret,id=none,required true'),
    /^EngineError: secret none: not found\n/,
  );
});

test('an agent is a socket that the step finds by SSH_AUTH_SOCK', async () => {
  const socketPath = join(world.directory, 'agent.sock');
  const server = createConnectionServer().listen(socketPath);
  await once(server, 'listening');
  try {
    const Dockerfile = 'FROM busybox\nRUN --mount=type=ssh [ -S $SSH_AUTH_SOCK ] && echo $SSH_AUTH_SOCK > /o';
    const built = await world.build(
      { Dockerfile },
      { ssh: async id => (id === 'default' ? { socketPath } : undefined) },
    );
    assert.equal(await world.read(built.imageId, '/o'), '/run/buildkit/ssh_agent.0\n');
  } finally {
    server.close();
  }
  const required = (options: string) =>
    world.build({ Dockerfile: `FROM busybox\nRUN --mount=type=ssh,required${options} true` });
  await assert.rejects(required(''), /^EngineError: no SSH forwarded from the client\n/);
  await assert.rejects(required(',id=k'), /^EngineError: no SSH key "k" forwarded from the client\n/);
});

test('CVE-2024-23653: security.insecure needs permission, in triggers too', async () => {
  const line = 'RUN --security=insecure true';
  const refused = /^EngineError: (ONBUILD .*: )?security\.insecure is not allowed\n/;
  await assert.rejects(world.build({ Dockerfile: `FROM busybox\n${line}` }), refused);
  await world.build({ Dockerfile: `FROM busybox\nONBUILD ${line}` }, { tags: ['trigger'] });
  await assert.rejects(world.build({ Dockerfile: 'FROM trigger' }), refused);
  await world.build({ Dockerfile: 'FROM trigger' }, { entitlements: ['security.insecure'] });
  assert.equal(world.executor.steps.at(-1)?.privileged, true);
  world.grantable.splice(0, 2, 'network.host');
  await assert.rejects(
    world.build({ Dockerfile: `FROM busybox\n${line}` }, { entitlements: ['security.insecure'] }),
    /^EngineError: granting entitlement security\.insecure is not allowed by build daemon configuration\n/,
  );
});
