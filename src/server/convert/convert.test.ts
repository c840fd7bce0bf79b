import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerConfig, hostConfig } from '../../../test/support/container-values.ts';
import type { ContainerRecord, ContainerState } from '../../engine/containers/container.ts';
import { progressMessage } from '../progress-stream.ts';
import { type SummaryContext, summaryToWire } from './container-summary.ts';
import { endpointFromWire } from './create-request.ts';
import { eventToWire } from './event.ts';
import { humanSize, progressBar } from './progress-bar.ts';
import { statusText } from './status-text.ts';
import { fixedTime, goTime } from './time.ts';

describe('wire forms', () => {
  test("times are written as Go's RFC 3339", () => {
    assert.equal(goTime(0), '0001-01-01T00:00:00Z');
    assert.equal(goTime(1_700_000_000_000), '2023-11-14T22:13:20Z');
    assert.equal(goTime(1_700_000_000_120), '2023-11-14T22:13:20.12Z');
    assert.equal(goTime(Date.UTC(2026, 0, 1)), '2026-01-01T00:00:00Z');
    assert.equal(fixedTime(1_700_000_000_000_000_005n), '2023-11-14T22:13:20.000000005Z');
  });

  test('an endpoint has a gateway priority when it was asked for', () => {
    assert.equal(endpointFromWire({ GwPriority: 3 }).gatewayPriority, 3);
    assert.equal(endpointFromWire({ GwPriority: 0 }).gatewayPriority, undefined);
  });

  test('annotations are in lists since API 1.46', () => {
    const record = {
      config: containerConfig(),
      hostConfig: hostConfig({ annotations: { a: 'b' } }),
      state: { status: 'created' },
      ...{ path: 'true', args: [], mounts: [], endpoints: {} },
    } as unknown as ContainerRecord;
    const hostConfigAt = (version: string) => {
      const context = { version, imageIdOf: () => undefined, namesByLinks: new Map(), nowMs: 0 };
      const networkController = { endpointsOfContainer: () => [] };
      return summaryToWire({ ...context, networkController } as unknown as SummaryContext, record).HostConfig;
    };
    const { networkMode: NetworkMode } = record.hostConfig;
    assert.deepEqual(hostConfigAt('1.45'), { NetworkMode });
    assert.deepEqual(hostConfigAt('1.46'), { NetworkMode, Annotations: { a: 'b' } });
  });

  test('states read as in docker ps', () => {
    const state = (changes: Partial<ContainerState>): ContainerState => ({
      status: 'running',
      pid: 1,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAtMs: 1000,
      finishedAtMs: 0,
      ...changes,
    });
    const text = (changes: Partial<ContainerState>) => statusText(state(changes), 121_000);
    assert.equal(text({}), 'Up 2 minutes');
    assert.equal(text({ status: 'paused' }), 'Up 2 minutes (Paused)');
    assert.equal(
      text({ health: { status: 'starting', failingStreak: 0, log: [] } }),
      'Up 2 minutes (health: starting)',
    );
    assert.equal(
      text({ health: { status: 'healthy', failingStreak: 0, log: [] } }),
      'Up 2 minutes (healthy)',
    );
    assert.equal(text({ status: 'created', startedAtMs: 0 }), 'Created');
    assert.equal(
      text({ status: 'exited', exitCode: 137, finishedAtMs: 116_000 }),
      'Exited (137) 5 seconds ago',
    );
    assert.equal(
      text({ status: 'restarting', exitCode: 1, finishedAtMs: 120_000 }),
      'Restarting (1) 1 second ago',
    );
  });

  test("progress is dockerd's bar", () => {
    assert.equal(progressBar(0, 0), '');
    assert.equal(progressBar(1500, 0), '   1.5kB');
    assert.equal(progressBar(1_200_000, 3_000_000), `[${'='.repeat(20)}>${' '.repeat(30)}]    1.2MB/3MB`);
    assert.equal(progressBar(5, 3), `[${'='.repeat(50)}>]       5B`);
    assert.equal(humanSize(1_982_284), '1.982MB');
  });

  test('only bars have details', () => {
    const id = '0123456789ab';
    assert.deepEqual(progressMessage({ id, status: 'Pulling fs layer' }), {
      status: 'Pulling fs layer',
      progressDetail: {},
      id,
    });
    assert.deepEqual(progressMessage({ id: 'latest', status: 'Pulling from library/busybox' }), {
      status: 'Pulling from library/busybox',
      id: 'latest',
    });
    assert.deepEqual(progressMessage({ id, status: 'Downloading', currentBytes: 1, totalBytes: 2 }), {
      status: 'Downloading',
      progressDetail: { current: 1, total: 2 },
      progress: `[${'='.repeat(25)}>${' '.repeat(25)}]       1B/2B`,
      id,
    });
  });

  test('events keep the fields of the oldest clients', () => {
    const text = eventToWire({
      type: 'container',
      action: 'die',
      actor: { id: 'c1', attributes: { image: 'busybox', exitCode: '0' } },
      timeNs: 1_700_000_000_123_456_789n,
    });
    assert.equal(
      text,
      '{"status":"die","id":"c1","from":"busybox","Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":{"image":"busybox","exitCode":"0"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}',
    );
  });
});
