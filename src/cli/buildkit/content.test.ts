import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { contentService, storeIdHeader, writeAction } from '../../api/buildkit/content.ts';
import type { InitOf } from '../../api/protobuf.ts';
import { contentHandlers } from './content.ts';

const root = mkdtempSync(join(tmpdir(), 'gantry-content-'));
after(() => rmSync(root, { recursive: true }));

const stores = new Map([
  ['local:ca\u00fcche', { directory: join(root, 'store'), writable: true }],
  ['oci:layout', { directory: join(root, 'store'), writable: false }],
]);
const handlers = contentHandlers(stores);

async function call(method: { path: string }, requests: Uint8Array[], store: string): Promise<Buffer[]> {
  const answers: Buffer[] = [];
  const messages = (async function* () {
    for (const request of requests) yield Buffer.from(request);
  })();
  const send = async (message: Uint8Array) => void answers.push(Buffer.from(message));
  await handlers.get(method.path)!({
    metadata: new Map([[storeIdHeader, [Buffer.from(store).toString('latin1')]]]),
    signal: new AbortController().signal,
    messages,
    send,
    sendAll: async all => void answers.push(...all.map(one => Buffer.from(one))),
  });
  return answers;
}

const { request: writeRequest, response: writeResponse } = contentService.write;

async function write(...requests: InitOf<typeof writeRequest>[]) {
  const bytes = requests.map(one => writeRequest.encode(one));
  return (await call(contentService.write, bytes, 'local:ca\u00fcche')).map(one => writeResponse.decode(one));
}

async function read(range: InitOf<typeof contentService.read.request>): Promise<string> {
  const pieces = await call(contentService.read, [contentService.read.request.encode(range)], 'oci:layout');
  return pieces.map(one => contentService.read.response.decode(one).data.toString()).join('');
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('blobs of a client, as a daemon asks for them', () => {
  const text = 'what was built';
  const digest = digestOf(text);
  const { stat, write: append, commit } = writeAction;

  test('are written piece by piece, and stand under their digest when they are whole', async () => {
    const answers = await write(
      { action: stat, ref: 'a', total: text.length, expected: digest },
      { action: append, data: Buffer.from('nonsense'), offset: 0 },
      { action: append, data: Buffer.from('what '), offset: 0 },
      { action: append, data: Buffer.from('was built'), offset: 5 },
      { action: commit, offset: text.length },
    );
    assert.deepEqual(
      answers.map(({ offset }) => offset),
      [0, 8, 5, 14, 14],
    );
    assert.equal(answers.at(-1)!.digest, digest);
    const path = join(root, 'store/blobs/sha256', digest.slice('sha256:'.length));
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.deepEqual(readdirSync(join(root, 'store/ingest')), []);
  });

  test('are read in parts', async () => {
    assert.equal(await read({ digest }), text);
    assert.equal(await read({ digest, offset: 5, size: 3 }), 'was');
    assert.equal(await read({ digest, offset: 9, size: 100 }), 'built'.padStart(5));
    assert.equal(await read({ digest, offset: 14 }), '');
    await assert.rejects(read({ digest, offset: 15 }), { code: 11 });
    await assert.rejects(read({ digest: digestOf('else') }), { code: 5 });
    await assert.rejects(read({ digest: 'sha256:../../etc' }), { code: 3 });
    const { request, response } = contentService.info;
    const [info] = await call(contentService.info, [request.encode({ digest })], 'oci:layout');
    assert.equal(response.decode(info!).info!.size, 14);
  });

  test('are refused when they are there, are not what was announced, or in the wrong place', async () => {
    const wrong = digestOf('promised');
    await assert.rejects(write({ action: stat, expected: digest }), { code: 6 });
    await assert.rejects(write({ action: commit, expected: wrong, data: Buffer.from('given') }), { code: 9 });
    await assert.rejects(write({ action: commit, total: 9, data: Buffer.from('given') }), { code: 9 });
    await assert.rejects(write({ action: append, offset: 3, data: Buffer.from('given') }), { code: 11 });
    await assert.rejects(call(contentService.write, [], 'oci:layout'), { code: 7 });
    await assert.rejects(call(contentService.write, [], 'local:else'), { code: 5 });
    await write({ action: append, data: Buffer.from('cut off') });
    assert.deepEqual(readdirSync(join(root, 'store/ingest')), []);
    assert.ok(!existsSync(join(root, 'store/blobs/sha256', wrong.slice('sha256:'.length))));
  });
});
