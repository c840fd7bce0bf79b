import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiFixture } from '../../test/support/api-fixture.ts';
import { logEntries } from '../../test/support/container-values.ts';

describe('the API over HTTP', () => {
  let api: ApiFixture;
  before(async () => {
    api = await ApiFixture.start();
  });
  after(() => api.stop());

  const json = { headers: { 'Content-Type': 'application/json' } };

  test('ping says what is spoken, with and without a body', async () => {
    const get = await api.request('GET', '/_ping');
    assert.equal(get.status, 200);
    assert.equal(get.body, 'OK');
    assert.equal(get.headers['api-version'], '1.50');
    assert.equal(get.headers['ostype'], 'linux');
    assert.equal(get.headers['docker-experimental'], 'false');
    assert.equal(get.headers['builder-version'], '2');
    assert.equal(get.headers['swarm'], 'inactive');
    assert.match(get.headers['server'] ?? '', /^Gantry\/[\d.]+ \(linux\)$/);
    const head = await api.request('HEAD', '/v1.41/_ping');
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    assert.equal(head.headers['api-version'], '1.50');
  });

  test('versions outside of the range are refused in words', async () => {
    const old = await api.request('GET', '/v1.23/_ping');
    assert.equal(old.status, 400);
    assert.deepEqual(old.json(), {
      message:
        'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    });
    const next = await api.request('GET', '/v1.99/_ping');
    assert.equal(next.status, 400);
    assert.deepEqual(next.json(), {
      message: 'client version 1.99 is too new. Maximum supported API version is 1.50',
    });
  });

  test('what does not exist is not found, by method too', async () => {
    for (const [method, path] of [
      ['GET', '/nowhere'],
      ['PUT', '/v1.50/_ping'],
    ] as const) {
      const answer = await api.request(method, path);
      assert.equal(answer.status, 404, path);
      assert.deepEqual(answer.json(), { message: 'page not found' });
      assert.equal(answer.headers['content-type'], 'application/json');
    }
  });

  test('errors have the status of their kind', async () => {
    const missing = await api.request('POST', '/containers/nobody/start');
    assert.equal(missing.status, 404);
    assert.deepEqual(missing.json(), { message: 'No such container: nobody' });
    api.engine.add('up', { status: 'running' });
    const same = await api.request('POST', '/containers/up/start');
    assert.equal(same.status, 304);
    assert.equal(same.body, '');
    assert.equal((await api.request('POST', '/containers/up/start?checkpoint=x')).status, 501);
    const swarm = await api.request('GET', '/nodes');
    assert.equal(swarm.status, 503);
    assert.match(swarm.json().message, /^This node is not a swarm manager\./);
  });

  test('names of images may hold slashes', async () => {
    for (const name of ['busybox', 'localhost:5000/me/app', 'a/b/json']) {
      const answer = await api.request('GET', `/v1.41/images/${name}/json`);
      assert.deepEqual(answer.json(), { message: `No such image: ${name}:latest` });
    }
    const encoded = await api.request('GET', '/images/me%2Fapp/history');
    assert.deepEqual(encoded.json(), { message: 'No such image: me/app:latest' });
  });

  test('bodies must be JSON, and say so', async () => {
    const create = (body: string, type = 'application/json') =>
      api.request('POST', '/containers/create', { body, headers: { 'Content-Type': type } });
    const cases: [Promise<{ status: number; json(): { message: string } }>, RegExp][] = [
      [
        create('{}', 'text/plain'),
        /^unsupported Content-Type header \(text\/plain\): must be 'application\/json'$/,
      ],
      [create('{"Image": '), /^invalid JSON: unexpected EOF$/],
      [create('nonsense'), /^invalid JSON: invalid character/],
      [create('[]'), /^invalid JSON: json: cannot unmarshal array into Go value of type CreateRequest$/],
      [
        create('{"Image": "x", "HostConfig": {"Memory": "1g"}}'),
        /^invalid JSON: json: cannot unmarshal string into Go struct field ContainerConfigWrapper\.HostConfig\.Memory of type int64$/,
      ],
      [create('{}'), /^config cannot be empty in order to create a container$/],
      [api.request('POST', '/containers/create', json) as never, /got EOF while reading request body/],
    ];
    for (const [answer, message] of cases) {
      const { status, json: parsed } = await answer;
      assert.equal(status, 400);
      assert.match(parsed().message, message);
    }
  });

  test('create reads names in any case, skips what it does not know, and takes null for nothing', async () => {
    const body = JSON.stringify({
      image: 'busybox',
      Cmd: 'true',
      Env: null,
      Unheard: { of: 1 },
      ExposedPorts: { '80': {} },
      HostConfig: { PortBindings: { '80/tcp': null }, RestartPolicy: { Name: '' }, CpuCount: 0 },
    });
    const answer = await api.request('POST', '/v1.43/containers/create?name=web', { body, ...json });
    assert.equal(answer.status, 201);
    const { id } = api.engine.find('web');
    assert.deepEqual(answer.json(), { Id: id, Warnings: [] });
    const created = api.engine.created.at(-1)!;
    assert.equal(created.config.image, 'busybox');
    assert.deepEqual(created.config.cmd, ['true']);
    assert.deepEqual(created.config.env, []);
    assert.deepEqual(created.config.exposedPorts, ['80/tcp']);
    assert.deepEqual(created.hostConfig.portBindings, { '80/tcp': [] });
    assert.equal(created.hostConfig.restartPolicy.name, 'no');
  });

  test('what is not supported is refused by its name', async () => {
    const create = (HostConfig: object) =>
      api.request('POST', '/containers/create', {
        body: JSON.stringify({ Image: 'x', HostConfig }),
        ...json,
      });
    for (const [field, value] of [
      ['CpuCount', 1],
      ['Isolation', 'hyperv'],
      ['StorageOpt', { size: '1G' }],
      ['KernelMemoryTCP', 1],
    ] as const) {
      const answer = await create({ [field]: value });
      assert.equal(answer.status, 501, field);
      assert.equal(answer.json().message, `HostConfig.${field} is not supported`);
    }
    const gpus = await create({ DeviceRequests: [{ Count: -1, Capabilities: [['gpu', 'compute'], ['x']] }] });
    assert.equal(gpus.status, 400);
    assert.equal(
      gpus.json().message,
      'could not select device driver "" with capabilities: [[gpu compute] [x]]',
    );
    assert.equal((await create({ Isolation: 'default' })).status, 201);
  });

  test('lists are filtered in both notations, and unknown filters refused', async () => {
    api.engine.records.clear();
    api.engine.add('one', { status: 'running', labels: { tier: 'web' } });
    api.engine.add('two', { status: 'exited' });
    const names = async (query: string) => {
      const answer = await api.request('GET', `/containers/json?${query}`);
      assert.equal(answer.status, 200, answer.body);
      return answer.json().map((one: { Names: string[] }) => one.Names[0]);
    };
    const filters = (value: unknown) => `filters=${encodeURIComponent(JSON.stringify(value))}`;
    assert.deepEqual(await names(''), ['/one']);
    assert.deepEqual(await names('all=1'), ['/two', '/one']);
    assert.deepEqual(await names('limit=1'), ['/two']);
    assert.deepEqual(await names(filters({ status: ['exited'] })), ['/two']);
    assert.deepEqual(await names(filters({ status: { exited: true } })), ['/two']);
    assert.deepEqual(await names(`all=true&${filters({ label: ['tier=web'] })}`), ['/one']);
    assert.deepEqual(await names(`all=true&${filters({ name: ['^/t'] })}`), ['/two']);
    assert.deepEqual(await names(`all=true&${filters({ since: ['one'] })}`), ['/two']);
    for (const [wrong, message] of [
      [{ colour: ['red'] }, "invalid filter 'colour'"],
      [{ status: ['asleep'] }, "invalid filter 'status=asleep'"],
      [{ status: 'exited' }, 'invalid filter'],
    ] as const) {
      const answer = await api.request('GET', `/containers/json?${filters(wrong)}`);
      assert.equal(answer.status, 400);
      assert.equal(answer.json().message, message);
    }
  });

  test('wait answers with its head at once, and with the code at the end', async () => {
    const { id } = api.engine.add('waited', { status: 'running' });
    const line = api.connect();
    line.send(`POST /v1.50/containers/${id}/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n`);
    await line.until('\r\n\r\n');
    assert.match(line.received.toString(), /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(line.body.length, 0);
    assert.equal(api.engine.waiting, 1);
    api.engine.ended.resolve({ exitCode: 3 });
    await line.until('{"StatusCode":3}\n');
    line.socket.destroy();
    const wrong = await api.request('POST', `/containers/${id}/wait?condition=tomorrow`);
    assert.equal(wrong.json().message, 'invalid condition: "tomorrow"');
  });

  test('a client that goes away aborts what it waited for', async () => {
    const other = await ApiFixture.start();
    try {
      other.engine.add('waited', { status: 'running' });
      const line = other.connect();
      line.send('POST /containers/waited/wait HTTP/1.1\r\nHost: x\r\n\r\n');
      await line.until('200 OK');
      line.socket.destroy();
      while (other.engine.aborted === 0) await new Promise(resolve => setImmediate(resolve));
    } finally {
      await other.stop();
    }
  });

  test('an answer that comes before the body was sent leaves the connection usable', async () => {
    const line = api.connect();
    const half = 'x'.repeat(100_000);
    line.send(`POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 * half.length}\r\n\r\n${half}`);
    await line.until('page not found');
    line.send(`${half}GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n`);
    await line.until('\r\n\r\nOK');
    line.socket.destroy();
  });

  test('events stream as they happen, with all digits of their time', async () => {
    const line = api.connect();
    line.send(`GET /events?filters=${encodeURIComponent('{"type":["volume"]}')} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await line.until('\r\n\r\n');
    api.engine.events.publish('container', 'start', 'c1', {});
    const { timeNs } = api.engine.events.publish('volume', 'create', 'v1', { driver: 'local' });
    await line.until(`"timeNano":${timeNs}}`);
    assert.ok(!line.received.includes('c1'));
    line.socket.destroy();
  });

  test('logs come in frames, or raw from a terminal, with their times', async () => {
    const captured =
      '2023-11-14T22:13:20.000000005+00:00 stdout F a\n2023-11-14T22:13:20.000000005+00:00 stderr F bc\n';
    api.engine.logEntries = logEntries(captured);
    api.engine.add('plain');
    api.engine.add('terminal', { tty: true });
    const framed = await api.request('GET', '/containers/plain/logs?stdout=1&stderr=1');
    assert.equal(framed.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
    assert.equal(framed.body, '\x01\0\0\0\0\0\0\x02a\n\x02\0\0\0\0\0\0\x03bc\n');
    const raw = await api.request('GET', '/containers/terminal/logs?stdout=1&timestamps=1');
    assert.equal(raw.headers['content-type'], 'application/vnd.docker.raw-stream');
    assert.match(raw.body, /^2023-11-14T22:13:20\.000000005Z a\n/);
    const none = await api.request('GET', '/containers/plain/logs');
    assert.equal(none.json().message, 'Bad parameters: you must choose at least one stream');
  });

  test('two hundred clients wait at once', async () => {
    const other = await ApiFixture.start();
    other.engine.add('waited', { status: 'running' });
    const lines = Array.from({ length: 200 }, () => other.connect());
    for (const line of lines) line.send('POST /containers/waited/wait HTTP/1.1\r\nHost: x\r\n\r\n');
    await Promise.all(lines.map(line => line.until('200 OK')));
    assert.equal((await other.request('GET', '/_ping')).body, 'OK');
    other.engine.ended.resolve({ exitCode: 0 });
    await Promise.all(lines.map(line => line.until('"StatusCode":0')));
    for (const line of lines) line.socket.destroy();
    await other.stop();
    assert.equal(other.engine.waiting, 200);
  });
});
