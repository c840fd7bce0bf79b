import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../stdx/errors.ts';
import { planMoves, readSourcePath } from './copy-plan.ts';
import { parseMode } from './mode.ts';
import { resolveOwner } from './owner.ts';
import { arrangeMounts, readMounts } from './run-mounts.ts';

const file = (path: string) => ({ path, isDirectory: false });
const directory = (path: string) => ({ path, isDirectory: true });

const moves: [
  sources: ReturnType<typeof file>[],
  written: string,
  isDirectory: boolean,
  destinations: string[],
][] = [
  [[file('/a')], '/b', false, ['/b']],
  [[file('/a')], '/b', true, ['/b/a']],
  [[file('/a')], '/b/', false, ['/b/a']],
  [[file('/d/a')], '.', true, ['/w/a']],
  [[file('/a')], './x/..', true, ['/w/a']],
  [[file('/a')], 'sub/b', false, ['/w/sub/b']],
  [[file('/a')], '../b', false, ['/b']],
  [[directory('/d')], '/b', false, ['/b']],
  [[directory('/d')], '/b/', true, ['/b']],
  [[file('/a'), directory('/d')], '/b/', false, ['/b/a', '/b']],
  [[file('/a'), file('/c')], '/b', false, ['/b', '/b']],
  [[file('/a'), file('/c')], '/b', true, ['/b/a', '/b/c']],
  [[directory('/d'), file('/a')], '/b', false, ['/b', '/b/a']],
];

test('where COPY puts things', () => {
  for (const [sources, written, isDirectory, destinations] of moves) {
    const plan = planMoves(sources, written, '/w', isDirectory);
    assert.deepEqual(
      plan.map(move => move.destination),
      destinations,
      `${JSON.stringify(sources)} ${written}`,
    );
  }
  const parents = [{ path: '/a/b/c', isDirectory: false, kept: 'b/c' }];
  assert.equal(planMoves(parents, '/d', '/', false)[0]!.destination, '/d/b/c');
});

test('sources stay inside', () => {
  const paths: [string, string, number][] = [
    ['a/b', '/a/b', 0],
    ['/a', '/a', 0],
    ['.', '/', 0],
    ['./a/../b/', '/b', 0],
    ['a/./b/c', '/a/b/c', 1],
    ['./a/b*/./c/./d', '/a/b*/c/d', 2],
  ];
  for (const [written, path, dropped] of paths)
    assert.deepEqual(readSourcePath('COPY', written), { path, dropped }, written);
  assert.equal(readSourcePath('COPY', '../a/../../b', { stopsAtTop: true }).path, '/b');
  for (const written of ['..', '../x', 'a/../../x', '/../x'])
    assert.throws(
      () => readSourcePath('COPY', written),
      (error: unknown) =>
        error instanceof EngineError &&
        error.message === `COPY failed: forbidden path outside the build context: ${written} ()`,
      written,
    );
});

const modes: [text: string, before: number, isDirectory: boolean, after: number][] = [
  ['u+x', 0o644, false, 0o744],
  ['+x', 0o644, false, 0o755],
  ['a=r', 0o777, false, 0o444],
  ['go-w', 0o666, false, 0o644],
  ['u=rwX,go=rX', 0o600, true, 0o755],
  ['u=rwX,go=rX', 0o600, false, 0o644],
  ['u=rwX,go=rX', 0o700, false, 0o755],
  ['g=u', 0o640, false, 0o660],
  ['u+s', 0o755, false, 0o4755],
  ['g+s,+t', 0o755, true, 0o3755],
  ['u-s', 0o4755, false, 0o755],
  ['o=', 0o777, false, 0o770],
  ['u+r-x', 0o300, false, 0o600],
];

test('chmod modes', () => {
  assert.equal(parseMode('755'), 0o755);
  assert.equal(parseMode('4755'), 0o4755);
  for (const [text, before, isDirectory, after] of modes) {
    const mode = parseMode(text);
    assert.ok(typeof mode === 'function', text);
    assert.equal(mode(before, isDirectory).toString(8), after.toString(8), text);
  }
  for (const text of ['', '888', '77777', 'u', 'u+q', 'x+u', 'u+r,', '-1'])
    assert.throws(() => parseMode(text), EngineError, text);
});

test('owners', async () => {
  const files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n',
    '/etc/group': 'root:x:0:\nstaff:x:50:web\n',
  };
  const read = async (path: string) => Buffer.from(files[path]!);
  assert.deepEqual(await resolveOwner('web', read), { uid: 33, gid: 34 });
  assert.deepEqual(await resolveOwner('web:staff', read), { uid: 33, gid: 50 });
  assert.deepEqual(await resolveOwner('1000', read), { uid: 1000, gid: 1000 });
  assert.deepEqual(
    await resolveOwner('1000:web', read).catch(error => error.message),
    "unable to convert uid/gid chown string to host mapping: can't find gid for group web: no such group: web",
  );
  assert.deepEqual(await resolveOwner(':50', read), { uid: 0, gid: 50 });
  await assert.rejects(resolveOwner('nobody', read), /can't find uid for user nobody: no such user: nobody$/);
  await assert.rejects(resolveOwner('a:b:c', read), /invalid chown string format/);
  await assert.rejects(resolveOwner('9999999999', read), /must be in range/);
});

test('of mounts at one place the last is there, and outer ones come first', () => {
  const owner = { permissions: 0o400, uid: 0, gid: 0 };
  const secret = { type: 'secret' as const, target: '/s', value: Buffer.from('x'), ...owner };
  const bind = (source: string, target: string) => ({
    type: 'bind' as const,
    source,
    target,
    readOnly: true,
  });
  const tmpfs = (target: string) => ({ type: 'tmpfs' as const, target });
  const all = [secret, bind('1', '/a/b'), tmpfs('/s'), bind('2', '/a'), tmpfs('/a/c'), bind('3', '/a/b')];
  assert.deepEqual(arrangeMounts(all), [secret, bind('2', '/a'), bind('3', '/a/b'), tmpfs('/a/c')]);
});

test('mounts of RUN', () => {
  const read = (text: string) => {
    const fields = text
      .split(',')
      .map(field => ({ key: field.split('=')[0]!, value: field.split('=')[1] ?? 'true' }));
    const from = fields.find(field => field.key === 'from')?.value;
    return readMounts([{ fields, from }], '/w', word => word.replace('$T', '/t'))[0];
  };
  assert.deepEqual(read('target=$T'), { type: 'bind', source: '/', target: '/t', readOnly: true });
  assert.deepEqual(read('type=bind,from=a,src=x,dst=y,rw'), {
    type: 'bind',
    from: 'a',
    source: '/x',
    target: '/w/y',
    readOnly: false,
  });
  assert.deepEqual(read('type=cache,target=/c'), {
    type: 'cache',
    id: '/c',
    source: '/',
    target: '/c',
    readOnly: false,
    sharing: 'shared',
    permissions: 0o755,
    uid: 0,
    gid: 0,
  });
  assert.deepEqual(read('type=tmpfs,target=/c,size=64m'), {
    type: 'tmpfs',
    target: '/c',
    sizeBytes: 64 << 20,
    readOnly: false,
  });
  assert.deepEqual(read('type=tmpfs,ro'), { type: 'tmpfs', target: '/w', readOnly: true });
  const secret = { type: 'secret', required: false, permissions: 0o400, uid: 0, gid: 0 };
  assert.deepEqual(read('type=secret,id=a'), { ...secret, id: 'a', target: '/run/secrets/a' });
  assert.deepEqual(read('type=secret,source=x/a'), { ...secret, id: 'x/a', target: '/run/secrets/a' });
  assert.deepEqual(read('type=secret,target=s/b'), { ...secret, id: 'b', target: '/s/b' });
  assert.deepEqual(read('type=secret,id=a,env=A'), { ...secret, id: 'a', env: 'A' });
  assert.deepEqual(read('type=secret,id=a,env=A,target=/t,required,mode=0440,uid=1,gid=2'), {
    type: 'secret',
    id: 'a',
    env: 'A',
    target: '/t',
    required: true,
    permissions: 0o440,
    uid: 1,
    gid: 2,
  });
  const agent = { type: 'ssh', id: 'default', required: false, permissions: 0o600, uid: 0, gid: 0 };
  assert.deepEqual(read('type=ssh'), { ...agent, target: '/run/buildkit/ssh_agent.0' });
  assert.deepEqual(read('type=ssh,id=k,required=1,target=/a,mode=0666'), {
    ...agent,
    id: 'k',
    required: true,
    target: '/a',
    permissions: 0o666,
  });
  const faults: [string, RegExp][] = [
    ['type=secret', /^invalid secret mount. one of source, target required$/],
    ['type=secret,id=a,source=b', /^both source and id can't be set$/],
    ['type=secret,id=a,from=b', /^unexpected key 'from'/],
    ['type=bind,target=/x,mode=1', /^mode not allowed for "bind" type mounts$/],
    ['target=/x,required', /^unexpected key 'required' for mount type 'bind'$/],
    ['type=foo,target=/x', /^unsupported mount type "foo"$/],
    ['target=/', /^invalid mount target/],
    ['type=tmpfs,target=/x,id=a', /^unexpected key 'id'/],
    ['type=cache,target=/x,sharing=odd', /^unsupported sharing value/],
  ];
  for (const [text, message] of faults) assert.throws(() => read(text), { message }, text);
});
