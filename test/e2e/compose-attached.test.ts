import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { Machine } from './machine.ts';

const compose = `${repository}/gantry compose`;

/** `gantry compose up` and `watch` while they stay: terminals, signals, changes of files. */
describe('compose, attached', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('compose-attached');
  });
  after(() => machine?.stop());

  function write(name: string, text: string): void {
    const path = machine.world.path('work', 'p', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const inProject = (lines: string) => machine.must(`cd p; ${lines}`);
  /** Shell that waits for a line of a file, or for a command to succeed. */
  const until = (command: string) =>
    `n=0; until ${command}; do n=$((n+1)); [ $n -lt 900 ] || { cat said >&2; exit 1; }; sleep 0.1; done`;
  const said = (pattern: string, file = 'said') => until(`grep -q -- '${pattern}' ${file}`);
  /** Starts a command whose process is $! then, with all it says in `said`. */
  const begin = (command: string) => `: > said; ${compose} ${command} > said 2>&1 & pid=$!`;
  const ended = 'wait $pid; echo "code $?"';

  test('a second Ctrl-C kills what does not stop', async () => {
    write(
      'compose.yaml',
      `
services:
  deaf: {image: busybox, command: "sh -c 'trap : TERM; echo up; while :; do sleep 0.1; done'", stop_grace_period: 1h}
`,
    );
    const text = await inProject(
      `${begin('up')}; ${said('| up')}; kill -INT $pid; ${said('deaf-1  Stopping')}; kill -INT $pid; ${ended}; cat said`,
    );
    assert.match(text, /^code 130$/m);
    assert.match(text, /^Attaching to deaf-1$[\s\S]*^deaf-1 {2}\| up$/m);
    assert.match(text, /^Gracefully Stopping\.\.\. press Ctrl\+C again to force$/m);
    assert.equal(await machine.must("docker inspect -f '{{.State.ExitCode}}' p-deaf-1"), '137');
    await inProject(`${compose} down`);
  });

  test('what is started again and again says each line once', async () => {
    write(
      'compose.yaml',
      `
services:
  again: {image: busybox, command: "sh -c 'echo first; sleep 0.1; echo last; exit 3'", restart: "on-failure:2"}
`,
    );
    const text = await inProject(`${compose} up; ${compose} up; ${compose} down`);
    const said = text.split('\n').filter(line => line.includes('|'));
    const lives = Array.from({ length: 2 * 3 }, () => ['again-1  | first', 'again-1  | last']);
    assert.deepEqual(said, lives.flat());
    assert.match(text, /^again-1 exited with code 3$/m);
  });

  test('logs -f goes on with containers that come later, until none runs', async () => {
    write(
      'compose.yaml',
      'services: {a: {image: busybox, command: "sh -c \'echo up; exec sleep 1000\'", stop_grace_period: 0s}}\n',
    );
    const heard = (count: number) => until(`[ $(grep -c "| up" said) = ${count} ]`);
    const text = await inProject(
      `${compose} up -d; ${begin('logs -f')}; ${heard(1)}; ${compose} up -d --scale a=2; ${heard(2)};
       ${compose} up -d --force-recreate --scale a=2; ${heard(4)}; ${compose} down; ${ended}; cat said`,
    );
    assert.match(text, /^code 0$/m);
    assert.equal(text.match(/^a-2 {2}\| up$/gm)?.length, 2, text);
  });

  test('Ctrl-C while an image is built ends it, and nothing is left', async () => {
    write(
      'compose.yaml',
      `
services:
  slow: {build: {context: ., dockerfile_inline: "FROM busybox\\nRUN echo begun; sleep 1000\\n"}}
`,
    );
    const text = await inProject(
      `${begin('up')}; ${said('begun$')}; kill -INT $pid; ${ended};
       ${until('[ -z "$(docker ps -q)" ]')}; docker ps -aq -f name=p-slow; docker network ls -q -f name=p_`,
    );
    assert.equal(text, 'code 130');
  });

  test('on a terminal a tree is drawn, and keys do what the last line says', async () => {
    write(
      'compose.yaml',
      `
services:
  db:
    image: busybox
    command: sleep 1000
    healthcheck: {test: "test -f /tmp/ok", interval: 300ms, retries: 1000}
    stop_grace_period: 0s
  web:
    image: busybox
    command: sh -c 'echo hello; exec sleep 1000'
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 0s
    develop: {watch: [{path: src, action: sync, target: /srv}]}
`,
    );
    write('src/a', '1');
    const onTerminal = async (command: string, keys: string) => {
      const text = await inProject(
        `: > screen; { ${keys}; ${said('^code', 'screen')}; } |
         script -qfec 'stty rows 30 cols 90; ${compose} ${command}; echo; echo code $?' screen > /dev/null;
         cat screen`,
      );
      return text.replace(/\r|\x1b\[[0-9;?]*[A-Za-z]/g, '');
    };
    const left = await onTerminal(
      'up',
      `${said('Container p-db-1   Waiting', 'screen')}; docker exec p-db-1 touch /tmp/ok;
       ${said('d.* Detach', 'screen')}; printf w; ${said('Watch enabled', 'screen')}; printf d`,
    );
    assert.match(left, /^code 0$/m);
    assert.match(left, /^ . Container p-db-1 {3}Waiting .* \d+\.\ds$/m);
    assert.match(left, /^ ✔ Container p-db-1 {3}Healthy .* \d+\.\ds$/m);
    assert.match(left, /\[\+\] Running 3\/3/);
    assert.match(left, /^web-1 {2}\| hello$/m);
    assert.equal(await inProject(`${compose} ps --services`), 'db\nweb');
    const stopped = await onTerminal('up', `${said('d.* Detach', 'screen')}; printf '\\003'`);
    assert.match(stopped, /^\[\+\] Stopping 2\/2$/m);
    assert.equal(await inProject(`${compose} ps --services`), '');
    assert.match(
      await onTerminal('--ansi never --progress plain down', ':'),
      /^ Container p-web-1 {2}Removed$/m,
    );
  });

  test('watch: files are synced, removed, lead to restarts, commands and builds', async () => {
    write(
      'compose.yaml',
      `
services:
  web:
    build: web
    stop_grace_period: 0s
    develop:
      watch:
        - {path: web/src, action: sync, target: /app/src, ignore: [node_modules/], initial_sync: true}
        - {path: web/conf, action: sync+restart, target: /app/conf}
        - {path: web/hook, action: sync+exec, target: /app/hook, exec: {command: cat /app/hook}}
        - {path: web/package.json, action: rebuild}
`,
    );
    write(
      'web/Dockerfile',
      'FROM busybox\nWORKDIR /app\nCOPY package.json .\nRUN mkdir src; chown 1000 src .\nUSER 1000\nCMD ["sh", "-c", "cat conf; exec sleep 1000"]\n',
    );
    for (const name of ['src/a', 'conf', 'hook', 'package.json']) write(`web/${name}`, `${name}, first\n`);
    await inProject(`${begin('watch')}; ${said('Watch enabled')}; echo $pid > pid`);
    const inContainer = (command: string) => `docker exec p-web-1 ${command}`;
    await inProject(until(inContainer('grep -q first src/a')));
    for (let at = 0; at < 300; at++) write(`web/src/many/${at}`, String(at));
    write('web/src/node_modules/x', '');
    await inProject(until(`[ "$(${inContainer('ls src/many | wc -l')})" = 300 ]`));
    assert.equal(
      await machine.must(inContainer("sh -c 'ls src/many | wc -l; stat -c %u src/many/7; ls src'")),
      '300\n1000\na\nmany',
    );
    await inProject(`rm -r web/src/many; ${until(inContainer('test ! -e src/many'))}`);
    write('web/hook', 'said by the hook\n');
    await inProject(said('^said by the hook'));
    write('web/conf', 'second\n');
    await inProject(
      `${until('docker logs p-web-1 2>&1 | grep -q second')}; ${said('\\["web"\\] restarted')}`,
    );
    const id = await machine.must('docker ps -q --no-trunc');
    write('web/package.json', 'other\n');
    await inProject(said('successfully built'));
    assert.equal(await machine.must(inContainer('cat package.json')), 'other');
    assert.notEqual(await machine.must('docker ps -q --no-trunc'), id);
    await inProject(until('[ -z "$(docker images -q -f dangling=true)" ]'));
    await inProject(`kill -INT $(cat pid); ${until('! kill -0 $(cat pid) 2> /dev/null')}`);
    assert.equal(await inProject(`${compose} ps --services`), 'web');
    // Beside the output of the services, which goes on after a restart, whoever asked for it.
    const text = await inProject(
      `${begin('up --watch')}; ${said('Watch enabled')}; echo third > web/conf; ${said('web-1  | third')};
       ${said('restarted')}; docker restart -t 0 p-web-1 > /dev/null;
       ${until('[ $(grep -c third said) = 2 ]')}; kill -INT $pid; ${ended}; ${compose} down; cat said`,
    );
    assert.match(text, /^code 130$/m);
    assert.equal(text.split('web-1  | third').length, 3, text);
  });

  test('what does not go together is refused', async () => {
    write(
      'compose.yaml',
      'services: {a: {image: busybox, develop: {watch: [{path: ., action: rebuild}]}}, b: {image: nowhere.invalid/b}}\n',
    );
    const cases: [string, RegExp][] = [
      ['up -d --watch', /^--detach cannot be combined with --abort-on-container-exit, .* or --watch$/m],
      ['up --wait --exit-code-from a', /^--wait cannot be combined with --abort-on-container-exit/m],
      ['up --attach a --attach-dependencies', /^cannot combine --attach and --attach-dependencies$/m],
      ['up --exit-code-from nope', /^no such service: nope$/m],
      ['up b --exit-code-from a', /^no such service: a: disabled$/m],
      ['up --attach nope', /^cannot attach to services not included in up: nope$/m],
      [
        'up --abort-on-container-exit --abort-on-container-failure',
        /cannot be combined with --abort-on-container-exit$/m,
      ],
      ['up -d --force-recreate --no-recreate', /^--force-recreate and --no-recreate are incompatible$/m],
      ['up -d --pull foo', /^invalid --pull option "foo"$/m],
      [
        'watch b',
        /^none of the selected services is configured for watch, consider setting a 'develop' section$/m,
      ],
      ['watch', /^can't watch service "a" with action rebuild without a build context$/m],
      ['--progress foo ps', /^unsupported --progress value "foo"$/m],
      ['--progress tty --ansi never ps', /^can't use --progress tty while ANSI support is disabled$/m],
    ];
    for (const [line, words] of cases) {
      const { code, stderr } = await machine.shell(`cd p && ${compose} ${line}`);
      assert.equal(code, 1, line);
      assert.match(stderr, words, line);
    }
    assert.equal(await machine.must('docker ps -aq -f name=p-'), '');
  });
});
