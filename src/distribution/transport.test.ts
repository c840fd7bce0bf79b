import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Transport, takeBody } from './transport.ts';

const content = randomBytes(8 << 20);
const digest = createHash('sha256').update(content).digest('hex');

async function get(t: TestContext, answer: RequestListener, tls?: { key: Buffer; cert: Buffer }) {
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const transport = new Transport({ userAgent: 'test' });
  t.after(() => {
    transport.close();
    server.close();
    server.closeAllConnections();
  });
  const scheme = tls === undefined ? 'http' : 'https';
  const url = new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const request = { method: 'GET', url, skipTlsVerify: true } as const;
  return () => transport.fetch({ ...request, signal: AbortSignal.timeout(120_000) });
}

function certificate(t: TestContext): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=test'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

suite('a body that is taken piece by piece', () => {
  test('is whole, also when its pieces are held back, and so is the next one of that connection', async t => {
    const request = await get(t, (asked, response) => {
      // In chunks: several are in one read.
      for (let at = 0; at < content.length; at += 5000) response.write(content.subarray(at, at + 5000));
      response.end();
      asked.resume();
    });
    const sockets = new Set<Socket>();
    for (const holdsBack of [false, true]) {
      const { body } = await request();
      sockets.add(body.socket);
      const hash = createHash('sha256');
      let pieces = 0;
      let held = false;
      await takeBody(body, piece => {
        hash.update(piece);
        if (!holdsBack || ++pieces % 10 > 0) return undefined;
        held = true;
        return turn().then(() => {});
      });
      assert.equal(held, holdsBack);
      assert.equal(hash.digest('hex'), digest);
    }
    const { body } = await request();
    sockets.add(body.socket);
    const kept: Buffer[] = [];
    for await (const piece of body) kept.push(piece as Buffer);
    assert.equal(createHash('sha256').update(Buffer.concat(kept)).digest('hex'), digest, 'kept by others');
    assert.equal(sockets.size, 1);
  });

  for (const secure of [false, true]) {
    test(`is whole when it is long, ${secure ? 'with' : 'without'} TLS, all of it in the same memory`, async t => {
      const long = Buffer.concat([content, content, content]);
      const answer: RequestListener = (_, response) => {
        response.writeHead(200, { 'content-length': String(long.length) });
        response.end(long);
      };
      const request = await get(t, answer, secure ? certificate(t) : undefined);
      for (const holdsBack of [false, true]) {
        const { body } = await request();
        const hash = createHash('sha256');
        const last = new Set<ArrayBufferLike>();
        let left = long.length;
        await takeBody(body, piece => {
          hash.update(piece);
          left -= piece.length;
          if (left < 1 << 20) last.add(piece.buffer);
          return holdsBack ? turn().then(() => {}) : undefined;
        });
        assert.equal(left, 0);
        assert.equal(hash.digest('hex'), createHash('sha256').update(long).digest('hex'));
        // TLS decrypts what it has read already, held back or not.
        if (!secure || !holdsBack) assert.equal(last.size, 1);
      }
    });
  }

  test('that is long ends with what is wrong', async t => {
    const length = 3 * content.length;
    const request = await get(t, (_, response) => {
      response.writeHead(200, { 'content-length': String(length) });
      response.write(content, () => response.destroy());
    });
    await assert.rejects(
      takeBody((await request()).body, () => undefined),
      { code: 'ECONNRESET' },
    );
    let taken = 0;
    const fails = (piece: Buffer) => {
      taken += piece.length;
      return taken > 1 << 20 ? Promise.reject(new Error('no room')) : undefined;
    };
    await assert.rejects(takeBody((await request()).body, fails), /^Error: no room$/);
  });

  test('ends with what is wrong: with it, with who takes it, or with who waits for it', async t => {
    const request = await get(t, (_, response) => {
      response.writeHead(200, { 'content-length': String(content.length) });
      response.write(content.subarray(0, 1 << 20));
      setImmediate(() => response.destroy());
    });
    await assert.rejects(
      takeBody((await request()).body, () => undefined),
      { code: 'ECONNRESET' },
    );
    const refuses = () => {
      throw new Error('enough');
    };
    await assert.rejects(takeBody((await request()).body, refuses), /^Error: enough$/);
    const fails = () => Promise.reject(new Error('no room'));
    await assert.rejects(takeBody((await request()).body, fails), /^Error: no room$/);
  });

  test('that was cut before anybody listened ends as well', async t => {
    const request = await get(t, (_, response) => {
      response.writeHead(200, { 'content-length': '3000' });
      response.write('the beginning');
      setImmediate(() => response.destroy());
    });
    const { body } = await request();
    if (!body.destroyed) await new Promise(resolve => body.once('close', resolve));
    await assert.rejects(
      takeBody(body, () => undefined),
      { code: 'ECONNRESET' },
    );
  });
});
