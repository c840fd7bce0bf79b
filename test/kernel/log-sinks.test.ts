import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { LogSinks } from '../../src/runtime/logs/log-sinks.ts';
import { pack } from '../../src/runtime/logs/sinks/msgpack.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { CapturedLog } from '../support/captured-log.ts';
import { HttpReceiver, StreamReceiver, UdpReceiver, UnixDatagramReceiver } from '../support/log-receivers.ts';

let log: CapturedLog;
let sinks: LogSinks;
const receivers: { stop(): void | Promise<void> }[] = [];

beforeEach(() => {
  log = new CapturedLog();
  sinks = new LogSinks(silentLog);
});
afterEach(async () => {
  await sinks.close();
  for (const receiver of receivers.splice(0)) await receiver.stop();
  log.remove();
});

async function started<T extends { start(): unknown; stop(): void | Promise<void> }>(
  receiver: T,
): Promise<T> {
  receivers.push(receiver);
  await receiver.start();
  return receiver;
}

/** Closed in an orderly way, and a new one in its place. */
async function restartSinks(): Promise<void> {
  await sinks.close();
  sinks = new LogSinks(silentLog);
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `line ${from + index}`);
}

/** Every `line N`, in the order of appearance. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(/line (\d+)/g)].map(([, number]) => Number(number));
}

const range = (to: number) => Array.from({ length: to }, (_, index) => index);

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('what was waited for did not come');
    await sleep(20);
  }
}

const jsonText = () => readFileSync(join(log.directory, 'json.log'), 'utf8');

describe('json-file', { concurrency: false }, () => {
  test('is complete when the run has ended', async () => {
    log.write('one', 'stderr F two', 'stdout P no end');
    sinks.follow(log.request('json-file', { labels: 'a.team', env: 'COLOUR', tag: '{{.Name}}' }));
    await sinks.end(log.id);
    const lines = jsonText().trimEnd().split('\n');
    const attributes = '"attrs":{"COLOUR":"red","a.team":"core","tag":"web"}';
    assert.deepEqual(lines, [
      `{"log":"one\\n","stream":"stdout",${attributes},"time":"2026-11-21T05:12:33.000000001Z"}`,
      `{"log":"two\\n","stream":"stderr",${attributes},"time":"2026-11-21T05:12:33.000000002Z"}`,
      `{"log":"no end","stream":"stdout",${attributes},"time":"2026-11-21T05:12:33.000000003Z"}`,
    ]);
  });

  test('loses nothing while the captured log is rotated under it', async () => {
    sinks.follow(log.request('json-file', {}));
    for (let part = 0; part < 40; part++) {
      log.write(...numbered(part * 500, (part + 1) * 500));
      if (part % 3 === 0) log.rotate();
      // Lets the worker come in between, now and then.
      if (part % 7 === 0) await until(() => existsSync(join(log.directory, 'json.log')));
    }
    await sinks.end(log.id);
    assert.deepEqual(numbersIn(jsonText()), range(20_000));
  });

  test('has its own rotation, compressed', async () => {
    sinks.follow(log.request('json-file', { 'max-size': '4k', 'max-file': '3', compress: 'true' }));
    for (let part = 0; part < 20; part++) log.write(...numbered(part * 50, (part + 1) * 50));
    await sinks.end(log.id);
    await sinks.close();
    const file = join(log.directory, 'json.log');
    const rotated = [2, 1].map(number => gunzipSync(readFileSync(`${file}.${number}.gz`)).toString());
    const numbers = numbersIn([...rotated, jsonText()].join(''));
    assert.deepEqual(numbers, range(1000).slice(-numbers.length));
    assert.ok(numbers.length > 80, `${numbers.length} lines are left`);
    for (const text of rotated) assert.ok(text.length >= 4096 && text.length < 4300, `${text.length} bytes`);
    assert.ok(!existsSync(`${file}.3.gz`));
  });

  test('goes on where it was after an orderly restart, through a line that was half written', async () => {
    sinks.follow(log.request('json-file', {}));
    log.write('line 0', 'stdout P line ', 'stderr F line 1');
    await until(() => existsSync(join(log.directory, 'json.log')) && numbersIn(jsonText()).length === 2);
    await restartSinks();
    log.write('stdout F 2', 'line 3');
    sinks.follow(log.request('json-file', {}));
    await sinks.end(log.id);
    assert.deepEqual(numbersIn(jsonText()), [0, 1, 2, 3]);
  });

  test('has every line once, although its writer is killed again and again', async () => {
    const requestFile = join(log.directory, 'request.json');
    writeFileSync(requestFile, JSON.stringify(log.request('json-file', {})));
    const file = join(log.directory, 'json.log');
    const sizeOf = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'log-sinks-child.ts'), requestFile]);
      await once(child.stdout, 'data');
      const before = sizeOf();
      for (let part = 0; part < 10; part++) {
        log.write(...numbered(round * 5000 + part * 500, round * 5000 + (part + 1) * 500));
        if (part === 5) log.rotate();
      }
      // In the middle of it.
      await until(() => sizeOf() > before);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    sinks.follow(log.request('json-file', {}));
    await sinks.end(log.id);
    assert.deepEqual(numbersIn(jsonText()), range(20_000));
  });
});

describe('syslog', { concurrency: false }, () => {
  test('by UDP, a packet a line', async () => {
    const receiver = await started(new UdpReceiver());
    const address = `udp://127.0.0.1:${receiver.port}`;
    sinks.follow(
      log.request('syslog', {
        'syslog-address': address,
        'syslog-facility': 'local3',
        tag: '{{.Name}}/{{.ID}}',
      }),
    );
    log.write('one', 'stderr F two');
    await receiver.until(() => receiver.received.length === 2);
    assert.match(receiver.received[0]!.toString(), /^<158>Nov 21 05:12:33 web\/c0ffee000000\[\d+\]: one\n$/);
    assert.match(receiver.received[1]!.toString(), /^<155>Nov 21 05:12:33 web\/c0ffee000000\[\d+\]: two\n$/);
  });

  test('by TCP, to a receiver that comes late, goes, and comes back', async () => {
    const receiver = await started(new StreamReceiver());
    await receiver.stop();
    const address = `tcp://127.0.0.1:${receiver.port}`;
    sinks.follow(log.request('syslog', { 'syslog-address': address, 'syslog-format': 'rfc5424micro' }));
    log.write(...numbered(0, 10));
    // It answers when it has tried.
    await sinks.end(log.id);
    assert.equal(receiver.text, '');
    await receiver.start();
    sinks.follow(log.request('syslog', { 'syslog-address': address, 'syslog-format': 'rfc5424micro' }));
    await receiver.untilText('line 9\n');
    assert.match(
      receiver.text,
      /^<30>1 2026-11-21T05:12:33\.000000Z host c0ffee000000 \d+ c0ffee000000 - line 0\n/,
    );
    await receiver.stop();
    log.write(...numbered(10, 20));
    await receiver.start();
    await receiver.untilText('line 19\n');
    assert.deepEqual(numbersIn(receiver.text), range(20));
  });

  test('nothing comes twice or never over an orderly restart', async () => {
    const receiver = await started(new StreamReceiver({ path: join(log.directory, 'syslog.sock') }));
    const options = { 'syslog-address': `unix://${join(log.directory, 'syslog.sock')}` };
    for (let round = 0; round < 5; round++) {
      sinks.follow(log.request('syslog', options));
      log.write(...numbered(round * 100, round * 100 + 50));
      if (round % 2 === 0) await receiver.untilText(`line ${round * 100 + 49}\n`);
      log.write(...numbered(round * 100 + 50, round * 100 + 100));
      await restartSinks();
    }
    sinks.follow(log.request('syslog', options, false));
    await receiver.untilText('line 499\n');
    assert.deepEqual(numbersIn(receiver.text), range(500));
  });

  test('by TLS, with the length in front of each packet', async () => {
    const [key, cert] = ['key.pem', 'cert.pem'].map(name => join(log.directory, name)) as [string, string];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=receiver'],
        ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    );
    const tls = { key: readFileSync(key), cert: readFileSync(cert) };
    const receiver = await started(new StreamReceiver({ tls }));
    sinks.follow(
      log.request('syslog', {
        'syslog-address': `tcp+tls://127.0.0.1:${receiver.port}`,
        'syslog-tls-ca-cert': cert,
        'syslog-format': 'rfc5424',
      }),
    );
    log.write('secret');
    await receiver.untilText('secret\n');
    const [, length = '', packet = ''] = /^(\d+) (.*\n)$/s.exec(receiver.text) ?? [];
    assert.equal(Number(length), packet.length);
    assert.match(packet, /^<30>1 2026-11-21T05:12:33Z host c0ffee000000 \d+ c0ffee000000 - secret\n$/);
  });

  test('by unix datagrams, to a receiver that comes back', async () => {
    const path = join(log.directory, 'log.sock');
    const receiver = await started(new UnixDatagramReceiver(path));
    sinks.follow(log.request('syslog', { 'syslog-address': `unixgram://${path}` }));
    log.write(...numbered(0, 50));
    await receiver.until(() => receiver.received.length === 50);
    receiver.stop();
    log.write(...numbered(50, 100));
    receiver.start();
    await receiver.until(() => receiver.received.length === 100);
    assert.deepEqual(numbersIn(receiver.text), range(100));
  });

  test('what waits for a receiver that is away is bounded when the user wants it so', async () => {
    const path = join(log.directory, 'syslog.sock');
    const receiver = await started(new StreamReceiver({ path }));
    await receiver.stop();
    writeFileSync(path, '');
    const options = { 'syslog-address': `unix://${path}`, mode: 'non-blocking', 'max-buffer-size': '2k' };
    log.write(...numbered(0, 1000));
    sinks.follow(log.request('syslog', options, false));
    await sinks.end(log.id);
    execFileSync('rm', [path]);
    await receiver.start();
    await receiver.untilText('line 999\n');
    const numbers = numbersIn(receiver.text);
    assert.deepEqual(numbers, range(1000).slice(-numbers.length));
    assert.ok(numbers.length > 10 && numbers.length < 50, `${numbers.length} lines came`);
  });
});

describe('fluentd', { concurrency: false }, () => {
  test('messages of the forward protocol, acknowledged', async () => {
    const receiver = await started(new StreamReceiver());
    receiver.answer = chunk => {
      const at = chunk.indexOf('chunk');
      // The chunk's name is a text of 24 bytes.
      return pack({ ack: chunk.subarray(at + 6, at + 30).toString() });
    };
    sinks.follow(
      log.request('fluentd', {
        'fluentd-address': `127.0.0.1:${receiver.port}`,
        'fluentd-request-ack': 'true',
        'fluentd-sub-second-precision': 'true',
        tag: 'docker.{{.Name}}',
        env: 'COLOUR',
      }),
    );
    log.write('one', 'stderr F two');
    await receiver.until(() => receiver.received.length === 2);
    const record = {
      container_id: log.id,
      container_name: '/web',
      COLOUR: 'red',
      source: 'stdout',
      log: 'one',
    };
    const seconds = Math.floor(Date.UTC(2026, 10, 21, 5, 12, 33) / 1000);
    const time = Buffer.from([0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    time.writeUInt32BE(seconds, 2);
    const expected = Buffer.concat([Buffer.from([0x94]), pack('docker.web'), time, pack(record)]);
    assert.equal(
      receiver.received[0]!.subarray(0, expected.length).toString('latin1'),
      expected.toString('latin1'),
    );
  });

  test('an unacknowledged message comes again', async () => {
    const path = join(log.directory, 'fluentd.sock');
    const receiver = await started(new StreamReceiver({ path }));
    receiver.answer = () => {
      void receiver.stop();
      return undefined;
    };
    sinks.follow(
      log.request('fluentd', { 'fluentd-address': `unix://${path}`, 'fluentd-request-ack': 'true' }),
    );
    log.write('precious');
    await receiver.untilText('precious');
    receiver.answer = chunk => pack({ ack: chunk.subarray(chunk.indexOf('chunk') + 6).toString() });
    await receiver.start();
    await receiver.until(() => receiver.text.split('precious').length === 3);
    await sinks.end(log.id);
    assert.equal(receiver.text.split('precious').length, 3);
  });
});

describe('gelf', { concurrency: false }, () => {
  test('by UDP: compressed, and in chunks when it is long', async () => {
    const receiver = await started(new UdpReceiver());
    const address = `udp://127.0.0.1:${receiver.port}`;
    sinks.follow(log.request('gelf', { 'gelf-address': address, labels: 'a.team' }));
    log.write('short');
    await receiver.until(() => receiver.received.length === 1);
    const message = JSON.parse(gunzipSync(receiver.received[0]!).toString()) as Record<string, unknown>;
    assert.deepEqual(
      [
        message['version'],
        message['short_message'],
        message['level'],
        message['_container_name'],
        message['_a.team'],
      ],
      ['1.1', 'short', 6, 'web', 'core'],
    );
    assert.equal(message['timestamp'], Date.UTC(2026, 10, 21, 5, 12, 33) / 1000);
    await sinks.end(log.id);
    await restartSinks();
    log.write('x'.repeat(8000));
    sinks.follow(log.request('gelf', { 'gelf-address': address, 'gelf-compression-type': 'none' }));
    await receiver.until(() => receiver.received.length > 6);
    const chunks = receiver.received.slice(1);
    const count = chunks[0]![11]!;
    await receiver.until(() => receiver.received.length === 1 + count);
    const whole = Buffer.concat(receiver.received.slice(1).map(chunk => chunk.subarray(12)));
    assert.equal((JSON.parse(whole.toString()) as { short_message: string }).short_message.length, 8000);
  });

  test('by TCP, with a zero byte behind each, to a receiver that comes back', async () => {
    const receiver = await started(new StreamReceiver());
    sinks.follow(log.request('gelf', { 'gelf-address': `tcp://127.0.0.1:${receiver.port}` }));
    log.write('line 0');
    await receiver.untilText('\0');
    await receiver.stop();
    log.write('line 1');
    await receiver.start();
    await receiver.untilText('line 1');
    const messages = receiver.text.split('\0').filter(text => text !== '');
    assert.deepEqual(
      messages.map(text => (JSON.parse(text) as { short_message: string }).short_message),
      ['line 0', 'line 1'],
    );
  });
});

describe('services', { concurrency: false }, () => {
  test('awslogs: group and stream are made, lines are gathered to events', async () => {
    const receiver = new HttpReceiver();
    receivers.push(receiver);
    const endpoint = await receiver.start();
    process.env['AWS_ACCESS_KEY_ID'] = 'AKID';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
    let refusals = 1;
    receiver.answer = ({ headers }) => {
      const action = headers['x-amz-target'];
      if (action === 'Logs_20140328.CreateLogGroup')
        return { status: 400, body: { __type: 'ResourceAlreadyExistsException' } };
      // It is away at first.
      if (action === 'Logs_20140328.PutLogEvents' && refusals-- > 0) return { status: 503, body: {} };
      return { status: 200, body: {} };
    };
    sinks.follow(
      log.request('awslogs', {
        'awslogs-endpoint': endpoint,
        'awslogs-region': 'eu-central-1',
        'awslogs-group': 'group',
        'awslogs-create-group': 'true',
        'awslogs-multiline-pattern': '^ERROR',
        'awslogs-force-flush-interval-seconds': '1',
        tag: '{{.Name}}',
      }),
    );
    log.write('ERROR one', '  at here', '  at there', 'ERROR two');
    await receiver.until(() => receiver.text.includes('ERROR two'));
    const actions = receiver.calls.map(({ headers }) => String(headers['x-amz-target']).split('.')[1]);
    assert.deepEqual(actions.slice(0, 2), ['CreateLogGroup', 'CreateLogStream']);
    const accepted = receiver.calls.filter(({ body }) => body.includes('logEvents')).slice(1);
    const events = accepted.flatMap(
      ({ body }) => (JSON.parse(body) as { logEvents: { message: string; timestamp: number }[] }).logEvents,
    );
    assert.deepEqual(
      events.map(({ message }) => message),
      ['ERROR one\n  at here\n  at there\n', 'ERROR two\n'],
    );
    assert.equal(events[0]!.timestamp, Date.UTC(2026, 10, 21, 5, 12, 33));
    const { headers, body } = accepted[0]!;
    assert.match(
      String(headers.authorization),
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/logs\//,
    );
    assert.equal((JSON.parse(body) as { logStreamName: string }).logStreamName, 'web');
  });

  test('gcplogs: a token for the service account, and entries', async () => {
    const receiver = new HttpReceiver();
    receivers.push(receiver);
    const endpoint = await receiver.start();
    const key = join(log.directory, 'key.pem');
    execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-out', key], { stdio: 'ignore' });
    const account = {
      client_email: 'logger@project.test',
      private_key: readFileSync(key, 'utf8'),
      token_uri: `${endpoint}/token`,
    };
    writeFileSync(join(log.directory, 'account.json'), JSON.stringify(account));
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = join(log.directory, 'account.json');
    process.env['GANTRY_GCP_ENDPOINT'] = endpoint;
    receiver.answer = ({ path }) =>
      path === '/token'
        ? { status: 200, body: { access_token: 'token-1', expires_in: 3600 } }
        : { status: 200, body: {} };
    sinks.follow(log.request('gcplogs', { 'gcp-project': 'project', 'gcp-log-cmd': 'true' }));
    log.write('hello');
    await receiver.untilText('hello');
    const { path, headers, body } = receiver.calls.at(-1)!;
    assert.equal(path, '/v2/entries:write');
    assert.equal(headers.authorization, 'Bearer token-1');
    const { logName, entries } = JSON.parse(body) as {
      logName: string;
      entries: {
        timestamp: string;
        jsonPayload: { message: string; container: { name: string; command: string } };
      }[];
    };
    assert.equal(logName, 'projects/project/logs/gcplogs-docker-driver');
    assert.equal(entries[0]!.timestamp, '2026-11-21T05:12:33.000000001Z');
    assert.equal(entries[0]!.jsonPayload.container.command, 'sh -c true');
  });
});
