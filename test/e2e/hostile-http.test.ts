import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { daemonKind, Machine } from './machine.ts';

/** Requests nobody means well with: they are refused, and the daemon neither grows nor ends. */
describe(`hostile requests, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  let pid: number;

  before(async () => {
    machine = await Machine.start('hostile-http');
    pid = machine.daemon.pid;
  });
  after(() => machine?.stop());

  const post = async (path: string, body: string | Buffer, headers: Record<string, string> = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    const asked = request(
      {
        socketPath: machine.daemon.socket,
        path,
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
      },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
        response.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(body);
    return promise;
  };
  const create = (body: string | Buffer) => post('/containers/create', body);
  const alive = async () => {
    assert.equal(await machine.must("docker version --format '{{.Server.Os}}'"), 'linux');
    assert.equal(machine.daemon.pid, pid);
  };
  const createdId = (answer: { status: number; body: string }) => {
    assert.equal(answer.status, 201, answer.body);
    return JSON.parse(answer.body).Id as string;
  };

  /** Sends bytes as they are; what came back until the daemon closed the connection, or said something. */
  const raw = async (...parts: (string | Buffer)[]) => {
    const socket = connect(machine.daemon.socket);
    socket.on('error', () => {
      // It may be cut off while we write: the answer is what counts.
    });
    let said = '';
    const answered = new Promise<void>(resolve => {
      socket.on('data', chunk => {
        said += chunk;
        if (said.includes('\r\n\r\n')) resolve();
      });
      socket.once('close', () => resolve());
    });
    for (const part of parts) socket.write(part);
    await answered;
    socket.destroy();
    return said;
  };

  test('members named after the language are data, or nothing', async () => {
    const image = '"Image":"busybox","Cmd":["true"]';
    const id = createdId(
      await create(
        `{${image},"__proto__":{"User":"nosuch"},"constructor":{"prototype":{"Tty":true}},"Labels":{"__proto__":"a","constructor":"b","toString":"c"},"HostConfig":{"__proto__":{"Privileged":true},"Sysctls":{"__proto__":null}}}`,
      ),
    );
    const inspected = await machine.must(`docker inspect --format '{{json .}}' ${id}`);
    const { Config, HostConfig } = JSON.parse(inspected);
    assert.deepEqual([Config.User, Config.Tty, HostConfig.Privileged], ['', false, false]);
    assert.deepEqual(Object.entries(Config.Labels).sort(), [
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['toString', 'c'],
    ]);
    // Nothing of it is in other containers, or in anything else the daemon makes.
    const other = createdId(await create(`{${image}}`));
    assert.doesNotMatch(await machine.must(`docker inspect ${other}`), /nosuch|"Privileged": true/);
    await machine.must(`docker start ${other}; docker rm -f ${id} ${other}`);
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) {
      const { status, body } = await post(`/containers/create?name=${name}`, `{${image}}`);
      // A name may not begin with an underscore; the others are names like any.
      if (name === '__proto__') assert.equal(status, 400, body);
      else await machine.must(`docker rm ${createdId({ status, body })}`);
    }
  });

  test('of a member that is there twice the last one counts', async () => {
    const id = createdId(await create('{"Image":"nosuch","Image":"busybox","Cmd":["a"],"cmd":["b"]}'));
    assert.equal(await machine.must(`docker inspect --format '{{json .Config.Cmd}}' ${id}`), '["b"]');
    await machine.must(`docker rm ${id}`);
  });

  test('what is no JSON, or not a whole one, is refused', async () => {
    const nested = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);
    for (const body of [
      '{',
      '{"Image":',
      '[]',
      '"busybox"',
      '12',
      'nonsense',
      '{"Image":"busybox"} {"Image":"busybox"} x',
      '{"Image":"busy\u0001box"}',
      '{"Image":1e400}',
      '{"Image":"busybox","HostConfig":{"Memory":1e400}}',
      '{"Image":"busybox","HostConfig":{"Memory":99999999999999999999999}}',
      '{"Image":"busybox","HostConfig":{"Memory":1.5}}',
      nested('[', ']'),
      `{"Image":"busybox","Cmd":${nested('[', ']')}}`,
      `{"Image":"busybox","HostConfig":${nested('{"HostConfig":', '}').replace(':}', ':{}}')}}`,
    ]) {
      const { status, body: said } = await create(body);
      if (status === 201) {
        // dockerd reads the first value of several.
        await machine.must(`docker rm ${JSON.parse(said).Id}`);
        assert.notEqual(body.trim()[0], '[');
      } else assert.equal(status, 400, `${body.slice(0, 60)}: ${said}`);
    }
    const invalid = Buffer.from('{"Image":"\xff\xfe\xc0\xaf"}', 'latin1');
    assert.ok([400, 404].includes((await create(invalid)).status));
    assert.equal((await post('/containers/create', '{}', { 'Content-Type': 'text/xml' })).status, 400);
    await alive();
  });

  test('a value of a wrong type in any field is refused or harmless, and never a fault of the daemon', async () => {
    await machine.must('docker create --name model busybox true');
    const [model] = JSON.parse(await machine.must('docker inspect model'));
    await machine.must('docker rm model');
    const bodies = [
      ...Object.keys(model.Config).map(key => (value: unknown) => ({ [key]: value })),
      ...Object.keys(model.HostConfig).map(key => (value: unknown) => ({ HostConfig: { [key]: value } })),
      (value: unknown) => ({ NetworkingConfig: value }),
      (value: unknown) => ({ NetworkingConfig: { EndpointsConfig: { bridge: value } } }),
      (value: unknown) => ({ HostConfig: { PortBindings: { '80/tcp': value } } }),
      (value: unknown) => ({ HostConfig: { Mounts: [value] } }),
      (value: unknown) => ({ HostConfig: { Devices: [value] } }),
    ];
    const values = [true, -1, 2 ** 53, 'x\u0000y', ['/', 7], { a: { b: [] } }];
    const faults: string[] = [];
    for (const bodyOf of bodies) {
      for (const value of values) {
        const body = JSON.stringify({ Image: 'busybox', Cmd: ['true'], ...bodyOf(value) });
        const { status, body: said } = await create(body);
        if (status === 201) await deleteContainer(JSON.parse(said).Id);
        else if (![400, 404, 409, 501].includes(status)) faults.push(`${body}: ${status} ${said}`);
      }
    }
    // dockerd answers some with 500; the daemon under test may not.
    if (daemonKind === 'gantryd') assert.deepEqual(faults, []);
    await alive();
  });

  test('heads that are too large are refused with 431, large ones are read', async () => {
    const get = (target: string, header = '') => `GET ${target} HTTP/1.1\r\nHost: d\r\n${header}\r\n`;
    assert.match(await raw(get(`/_ping?x=${'y'.repeat(200_000)}`)), /^HTTP\/1\.1 200/);
    assert.match(await raw(get('/_ping', `X-Large: ${'y'.repeat(200_000)}\r\n`)), /^HTTP\/1\.1 200/);
    assert.match(await raw(get(`/_ping?x=${'y'.repeat(4 << 20)}`)), /^HTTP\/1\.1 431/);
    assert.match(await raw(get('/_ping', `X-Large: ${'y'.repeat(4 << 20)}\r\n`)), /^HTTP\/1\.1 431/);
    assert.match(await raw(get('/_ping', 'X: y\r\n'.repeat(500_000))), /^HTTP\/1\.1 431/);
    for (const nonsense of [
      '\0\0\0\0\r\n\r\n',
      'GET\r\n\r\n',
      get('/_ping', 'a b: c\r\n'),
      '\x16\x03\x01\x02\x00\x01\r\n\r\n',
    ])
      assert.match(await raw(nonsense), /^HTTP\/1\.1 400/, JSON.stringify(nonsense));
    await alive();
  });

  test('query strings cannot confuse', async () => {
    const filters = (text: string) => `/containers/json?filters=${encodeURIComponent(text)}`;
    for (const [path, expected] of [
      [filters('{"__proto__":["x"]}'), [200, 400]],
      [filters('{'), [400]],
      [filters('[[[['), [400]],
      [filters('{"label":{"__proto__":true}}'), [200]],
      ['/containers/json?limit=nonsense&limit=1', [200, 400]],
      ['/containers/json?all=1&all=0&%zz=%', [200, 400]],
      [`/containers/${'x'.repeat(100_000)}/json`, [404]],
      ['/containers/..%2f..%2fetc%2fpasswd/json', [404]],
      ['/containers/%00/json', [400, 404]],
    ] as const) {
      const said = await raw(`GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`);
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(said)?.[1]);
      assert.ok((expected as readonly number[]).includes(status), `${path.slice(0, 80)}: ${said}`);
    }
  });

  test('clients that never finish keep nobody else waiting', async () => {
    const sockets = Array.from({ length: 200 }, () => connect(machine.daemon.socket));
    await Promise.all(sockets.map(socket => once(socket, 'connect')));
    sockets.forEach((socket, index) => {
      socket.on('error', () => {
        // Cut off at the end.
      });
      if (index % 2 === 0) socket.write('GET /_ping HTTP/1.1\r\nHost:');
      else
        socket.write(
          'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"Im',
        );
    });
    await alive();
    assert.equal(await machine.must('docker run --rm busybox echo still'), 'still');
    for (const socket of sockets) socket.destroy();
    await alive();
  });

  // dockerd has no limit of its own.
  test('bodies without end are cut off, and leave nothing in memory', {
    skip: daemonKind !== 'gantryd',
  }, async () => {
    const head = 'POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n';
    const piece = Buffer.alloc(1 << 20, 'x');
    const begin = '{"Image":"busybox","Labels":{"a":"';
    const declared = () =>
      raw(`${head}Content-Length: ${100 << 20}\r\n\r\n`, begin, ...Array(100).fill(piece));
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]);
    const endless = () => raw(`${head}Transfer-Encoding: chunked\r\n\r\n`, ...Array(100).fill(chunk));
    assert.match(await declared(), /^HTTP\/1\.1 4(00|13)/);
    assert.match(await endless(), /^HTTP\/1\.1 4(00|13)/);
    const before = residentBytes(pid);
    for (let round = 0; round < 6; round++) {
      assert.match(await declared(), /^HTTP\/1\.1 4(00|13)/);
      assert.match(await endless(), /^HTTP\/1\.1 4(00|13)/);
    }
    await alive();
    // 1.2 GB were sent, of which 16 MB at a time may be held.
    const grown = residentBytes(pid) - before;
    assert.ok(grown < 300 << 20, `the daemon has grown by ${grown >> 20} MB`);
  });

  async function deleteContainer(id: string): Promise<void> {
    const asked = request({
      socketPath: machine.daemon.socket,
      path: `/containers/${id}?force=1&v=1`,
      method: 'DELETE',
    });
    asked.end();
    const [response] = await once(asked, 'response');
    response.resume();
    await once(response, 'end');
  }
});

function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
