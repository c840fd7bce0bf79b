import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { controlService, historyEventType } from './control.ts';
import {
  exporterIdHeader,
  exporterMetadataPrefix,
  fileSendService,
  fileSyncHeader,
  fileSyncService,
  goFileMode,
  packetType,
} from './filesync.ts';
import { buildIdHeader, gatewayService } from './gateway.ts';
import { operationMessage } from './ops.ts';
import {
  authService,
  secretsService,
  sessionHeader,
  sshIdHeader,
  sshService,
  uploadService,
} from './session.ts';
import { timeMsOf, timestampOf } from './well-known.ts';

/** Bytes as BuildKit's own programs write them, so that a wrong field number shows. */
describe("BuildKit's messages", () => {
  test('Solve', () => {
    const bytes = Buffer.from(
      '0a03726566' + // ref
        '2a0473657373' + // session
        '3a0e0a0866696c656e616d6512024446' + // frontend attributes
        '4a0c6e6574776f726b2e686f7374' + // entitlements
        '6a110a046d6f627912090a046e616d65120161' + // exporters
        '7001', // session exporter
      'hex',
    );
    const request = controlService.solve.request.decode(bytes);
    assert.equal(request.ref, 'ref');
    assert.equal(request.session, 'sess');
    assert.equal(request.enableSessionExporter, true);
    assert.deepEqual([...request.frontendAttributes], [['filename', 'DF']]);
    assert.deepEqual(request.entitlements, ['network.host']);
    assert.deepEqual(
      request.exporters.map(one => [one.type, ...one.attributes]),
      [['moby', ['name', 'a']]],
    );
  });

  test('a vertex', () => {
    const bytes = controlService.status.response.encode({
      vertexes: [{ digest: 'd', inputs: ['i'], name: 'n', cached: true, started: timestampOf(1500) }],
      logs: [{ vertex: 'd', stream: 2, data: Buffer.from('x') }],
    });
    assert.equal(
      bytes.toString('hex'),
      '0a15' +
        '0a0164' +
        '120169' +
        '1a016e' +
        '2001' +
        '2a0808011080cab5ee01' +
        '1a08' +
        '0a0164' +
        '1802' +
        '220178',
    );
  });

  test('a packet of a file', () => {
    const stat = {
      path: 'a/b',
      mode: goFileMode.directory + 0o755,
      size: 0,
      modTime: 1_700_000_000_123_456_789n,
    };
    const bytes = fileSyncService.diffCopy.response.encode({ type: packetType.stat, stat });
    assert.equal(bytes.toString('hex'), '12150a03612f6210ed8380800830959a97ece39fe7cb17');
    const back = fileSyncService.diffCopy.response.decode(bytes);
    assert.equal(back.stat?.mode, goFileMode.directory + 0o755);
    assert.equal(back.stat?.modTime, 1_700_000_000_123_456_789n);
  });

  test('times', () => {
    assert.equal(timeMsOf({ seconds: 0, nanos: 0, ...timestampOf(1234.5) }), 1234.5);
  });

  test('headers are lower case, as HTTP/2 has them', () => {
    const headers = [
      ...Object.values(fileSyncHeader),
      ...Object.values(sessionHeader),
      exporterIdHeader,
      exporterMetadataPrefix,
      buildIdHeader,
      sshIdHeader,
    ];
    for (const header of headers) assert.match(header, /^[a-z0-9.-]+$/);
  });

  test('a reference travels as a graph of one operation', () => {
    const bytes = operationMessage.encode({ source: { identifier: 'local://context' } });
    assert.equal(bytes.toString('hex'), '1a110a0f6c6f63616c3a2f2f636f6e74657874');
  });

  test('the history says what happened to a build', () => {
    const { response } = controlService.listenBuildHistory;
    const event = response.encode({
      type: historyEventType.complete,
      record: { ref: 'r', numTotalSteps: 3 },
    });
    assert.equal(event.toString('hex'), '080112060a0172800103');
  });

  test('every method has its path', () => {
    const services = [
      controlService,
      gatewayService,
      fileSyncService,
      fileSendService,
      authService,
      secretsService,
      sshService,
      uploadService,
    ];
    for (const one of services.flatMap(methods => Object.values(methods))) {
      assert.match(one.path, /^\/moby\.[a-z0-9.]+\.[A-Za-z]+\/[A-Z][A-Za-z]+$/);
    }
  });
});
