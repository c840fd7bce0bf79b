import assert from 'node:assert/strict';
import { test } from 'node:test';
import { historyEventType, historyRequest } from '../../api/buildkit/control.ts';
import { GrpcError } from '../../api/grpc/status.ts';
import { RunningBuild, RunningBuilds } from './builds.ts';
import { fieldFilter } from './field-filters.ts';
import { listenHistory } from './history.ts';
import type { ReferencedImages } from './referenced-images.ts';

test("containerd's filters", () => {
  const thing: Record<string, string> = { type: 'regular', note: 'a "b", c', shared: 'false', inuse: 'true' };
  const matches = (...filters: string[]) => fieldFilter(filters, 'test', (_, name) => thing[name])(undefined);
  for (const filter of [
    '',
    'type==regular',
    'type!=other',
    'type~=^reg',
    'inuse',
    'other!=x',
    'shared==false',
  ])
    assert.ok(matches(filter), filter);
  for (const filter of ['type==other', 'type~=^x', 'shared', 'other', 'other==x', 'type==regular,shared'])
    assert.ok(!matches(filter), filter);
  assert.ok(matches('type==other', 'inuse'));
  assert.ok(matches(String.raw`note=="a \"b\", c",inuse`));
  assert.throws(() => matches('type===x'), {
    message: 'failed to parse test filters [type===x]: invalid argument',
  });
  assert.throws(() => matches('type~=('), { kind: 'invalid' });
});

/** Builds that began one after the other, a second each. */
function someBuilds(...refs: string[]): RunningBuilds {
  const builds = new RunningBuilds();
  for (const [index, ref] of refs.entries()) {
    const build = new RunningBuild(ref, 'session', [], {} as ReferencedImages);
    Object.assign(build, { createdMs: 1_000_000 + index * 1000 });
    builds.begin(build);
  }
  return builds;
}

async function refsOf(builds: RunningBuilds, request: Parameters<typeof historyRequest.encode>[0]) {
  const asked = historyRequest.decode(historyRequest.encode({ earlyExit: true, ...request }));
  const refs: string[] = [];
  for await (const { record } of listenHistory(builds, asked, new AbortController().signal))
    refs.push(record?.ref ?? '');
  return refs.join(' ');
}

test('builds of the history, by what became of them and when', async () => {
  const builds = someBuilds('done', 'failed', 'stopped', 'running', 'hidden');
  builds.find('failed')!.error = new GrpcError(2, 'exit code: 1');
  builds.find('stopped')!.error = new GrpcError(1, 'context canceled');
  builds.find('hidden')!.internal = true;
  for (const ref of ['done', 'failed', 'stopped']) builds.end(builds.find(ref)!);
  builds.find('done')!.completedMs = 1_000_000 + 90_000;
  assert.equal(await refsOf(builds, {}), 'done failed stopped running');
  assert.equal(await refsOf(builds, { activeOnly: true }), 'running');
  assert.equal(await refsOf(builds, { ref: 'failed' }), 'failed');
  assert.equal(await refsOf(builds, { limit: 2 }), 'running stopped');
  assert.equal(await refsOf(builds, { filters: ['status==error'] }), 'failed');
  assert.equal(await refsOf(builds, { filters: ['status==canceled', 'ref~=^r'] }), 'stopped running');
  assert.equal(await refsOf(builds, { filters: ['status==completed,duration>1m'] }), 'done');
  assert.equal(await refsOf(builds, { filters: ['duration<=1m29s'] }), 'running');
  assert.equal(await refsOf(builds, { filters: ['startedAt<=1970-01-01T00:16:41Z'] }), 'done failed');
  assert.equal(await refsOf(builds, { filters: ['completedAt>24h,status==error'] }), 'failed');
  await assert.rejects(refsOf(builds, { filters: ['duration>x'] }), { message: 'invalid duration x' });
  await assert.rejects(refsOf(builds, { filters: ['startedAt>x'] }), { message: 'invalid time x' });
  await assert.rejects(refsOf(builds, { limit: -1 }), { message: 'invalid limit -1' });
});

test('the history goes on until its reader leaves', async () => {
  const builds = someBuilds('first');
  const leave = new AbortController();
  const asked = historyRequest.decode(historyRequest.encode({}));
  const events = listenHistory(builds, asked, leave.signal);
  const next = async () => {
    const { value } = await events.next();
    return value === undefined ? undefined : [value.type, value.record?.ref];
  };
  const { started, complete, deleted } = historyEventType;
  assert.deepEqual(await next(), [started, 'first']);
  const waiting = next();
  const second = new RunningBuild('second', 'session', [], {} as ReferencedImages);
  builds.begin(second);
  builds.end(second);
  assert.deepEqual(await waiting, [started, 'second']);
  assert.deepEqual(await next(), [complete, 'second']);
  builds.forget('first');
  assert.deepEqual(await next(), [deleted, 'first']);
  const last = next();
  leave.abort();
  assert.equal(await last, undefined);
});

test('a pinned record stays', () => {
  const builds = new RunningBuilds();
  for (let index = 0; index < 40; index++) {
    const build = new RunningBuild(`${index}`, 'session', [], {} as ReferencedImages);
    build.pinned = index === 0;
    builds.begin(build);
    builds.end(build);
  }
  assert.equal(builds.list().length, 33);
  assert.ok(builds.find('0') !== undefined && builds.find('1') === undefined);
});
