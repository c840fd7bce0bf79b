import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { hostAddress, hostAddress6 } from '../support/world.ts';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine } from './machine.ts';

/** What a person does with Docker on the first day, in that order, with the real client. */
describe(`the whole way through, with docker against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('whole-way', { registry: true });
    const context = machine.world.path('work', 'app');
    mkdirSync(context);
    writeFileSync(`${context}/index.html`, 'hello from my-app\n');
    writeFileSync(
      `${context}/Dockerfile`,
      'FROM busybox AS build\nCOPY index.html /src/\nRUN sed s/hello/greetings/ /src/index.html > /page\n' +
        'FROM busybox\nCOPY --from=build /page /srv/index.html\nEXPOSE 8080\nCMD ["sh", "-c", "echo listening; httpd -f -p 8080 -h /srv"]\n',
    );
  });
  after(() => machine?.stop());

  test('build', async () => {
    const said = await machine.must('docker build -t my-app app');
    assert.match(said, /Successfully tagged my-app:latest/);
    assert.match(await machine.must('docker build -t my-app app'), /Using cache/);
  });

  test('run, published on a port', async () => {
    assert.match(
      await machine.must('docker run -d -p 8080:8080 --name my-running-app my-app'),
      /^[0-9a-f]{64}$/,
    );
  });

  for (const host of ['localhost', '127.0.0.1', '[::1]', hostAddress, `[${hostAddress6}]`]) {
    test(`the page is there on ${host}`, async () => {
      assert.equal(await machine.fetch(`http://${host}:8080/`), 'greetings from my-app');
    });
  }

  test('ps, logs, exec', async () => {
    assert.match(await machine.must('docker ps'), /my-app .*Up .*0\.0\.0\.0:8080->8080\/tcp.*my-running-app/);
    assert.equal(await machine.must('docker logs my-running-app'), 'listening');
    assert.match(await machine.must('docker exec my-running-app ps'), /httpd -f -p 8080/);
  });

  test('stop, start and rm', async () => {
    assert.equal(await machine.must('docker stop -t 1 my-running-app'), 'my-running-app');
    await assert.rejects(machine.fetch('http://127.0.0.1:8080/', 1));
    await machine.must('docker start my-running-app');
    assert.equal(await machine.fetch('http://127.0.0.1:8080/'), 'greetings from my-app');
    assert.notEqual((await machine.shell('docker rm my-running-app')).code, 0);
    await machine.must('docker rm -f my-running-app');
    assert.equal(await machine.must('docker ps -aq'), '');
  });

  test('tag, push, rmi, pull, run', async () => {
    const name = 'localhost:5000/me/my-app:1.0';
    const id = await machine.must("docker inspect --format '{{.Id}}' my-app");
    await machine.must(`docker tag my-app ${name}; docker push ${name}; docker rmi ${name} my-app`);
    await machine.must(`docker pull ${name}`);
    assert.equal(await machine.must(`docker inspect --format '{{.Id}}' ${name}`), id);
    assert.equal(await machine.must(`docker run --rm ${name} cat /srv/index.html`), 'greetings from my-app');
    await machine.must(`docker tag ${name} my-app`);
  });

  test('save and load', async () => {
    const id = await machine.must("docker inspect --format '{{.Id}}' my-app");
    await machine.must(
      'docker save -o my-app.tar my-app && docker rmi -f my-app localhost:5000/me/my-app:1.0',
    );
    assert.equal(await machine.must('docker load -i my-app.tar'), 'Loaded image: my-app:latest');
    assert.equal(await machine.must("docker inspect --format '{{.Id}}' my-app"), id);
  });

  test('export and import', async () => {
    await machine.must(
      'docker create --name exported my-app; docker export exported > flat.tar; docker rm exported',
    );
    await machine.must(`docker import -c 'CMD ["cat", "/srv/index.html"]' flat.tar flat:1`);
    assert.equal(await machine.must('docker run --rm flat:1'), 'greetings from my-app');
  });

  test('a volume outlives its containers', async () => {
    await machine.must(
      "docker volume create data; docker run --rm -v data:/data busybox sh -c 'echo kept > /data/file'",
    );
    assert.equal(await machine.must('docker run --rm -v data:/data busybox cat /data/file'), 'kept');
    await machine.must('docker volume rm data');
  });

  test('two containers on a network find each other by name', async () => {
    await machine.must('docker network create app; docker run -d --name web --network app my-app');
    const got = 'for i in 1 2 3 4 5; do wget -qO- http://web:8080/ 2>/dev/null && break; sleep 0.2; done';
    assert.equal(
      await machine.must(`docker run --rm --network app busybox sh -c '${got}'`),
      'greetings from my-app',
    );
    await machine.must('docker rm -f web; docker network rm app');
  });

  test('inspect, history, images, info, version, events', async () => {
    assert.equal(
      await machine.must("docker inspect --format '{{json .Config.ExposedPorts}}' my-app"),
      '{"8080/tcp":{}}',
    );
    assert.match(await machine.must('docker history my-app'), /CMD \["sh" "-c"/);
    assert.match(await machine.must('docker images'), /^my-app +latest/m);
    assert.match(await machine.must('docker info'), /Containers: 0/);
    assert.match(await machine.must('docker version'), /API version/);
    assert.match(
      await machine.must('docker events --since 10m --until $(date +%s)'),
      /container die .*my-running-app/,
    );
  });

  test('nothing is left: no containers, links, mounts or monitors', async () => {
    assert.equal(await machine.must('docker ps -aq'), '');
    assert.deepEqual(await leftovers(machine), []);
  });
});
