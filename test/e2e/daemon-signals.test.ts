import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxArchive } from '../support/base-images.ts';
import { Daemon } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { World } from '../support/world.ts';

/** SIGHUP and SIGTERM: what the daemon takes anew, what it lets end, what it remembers. */
describe('the daemon and its signals', { concurrency: false }, () => {
  let world: World;
  let daemon: Daemon;
  let docker: DockerClient;
  const configure = (config: object) => writeFileSync(world.path('daemon.json'), JSON.stringify(config));
  before(async () => {
    world = await World.start('signals');
    configure({ labels: ['stage=one'] });
    const archive = await busyboxArchive();
    daemon = await Daemon.start(world, 'gantryd', [
      '--config-file',
      world.path('daemon.json'),
      '--shutdown-timeout',
      '300',
    ]);
    docker = new DockerClient(daemon);
    await docker.must('load', '-i', archive);
  });
  after(() => world?.stop());

  /** Everything of a kind that has happened so far; the client wants an end in whole seconds. */
  const events = async (filter: string, format: string): Promise<string[]> => {
    const until = String(Math.ceil(Date.now() / 1000));
    const args = ['--since', '0', '--until', until, '--filter', filter, '--format', format];
    return (await docker.must('events', ...args)).split('\n');
  };
  const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
    for (let attempt = 0; attempt < 600; attempt++) {
      if (await holds()) return;
      await sleep(100);
    }
    assert.fail(`${what}\n${daemon.logTail()}`);
  };
  const labels = () => docker.must('info', '--format', '{{json .Labels}}');

  test('SIGHUP reads the configuration again and says so', async () => {
    assert.equal(await labels(), '["stage=one"]');
    configure({ labels: ['stage=two'], 'registry-mirrors': ['https://mirror.test'], debug: true });
    process.kill(daemon.pid, 'SIGHUP');
    await until('the labels do not change', async () => (await labels()) === '["stage=two"]');
    assert.equal(
      await docker.must('info', '--format', '{{.RegistryConfig.Mirrors}} {{.Debug}}'),
      '[https://mirror.test/] true',
    );
    const told = await events('type=daemon', '{{.Action}} {{index .Actor.Attributes "labels"}}');
    assert.deepEqual(told, ['reload ["stage=two"]']);
  });

  test('SIGHUP takes OCI runtimes, and their default', async () => {
    const labels = ['stage=two'];
    const runtimes = { mine: { path: 'runc', runtimeArgs: ['--debug'] } };
    configure({ labels, runtimes, 'default-runtime': 'mine' });
    process.kill(daemon.pid, 'SIGHUP');
    const chosen = () =>
      docker.must(
        'info',
        '--format',
        '{{.DefaultRuntime}} {{range $name, $_ := .Runtimes}}{{$name}} {{end}}',
      );
    await until('the runtime is not there', async () => /^mine crun .*mine/.test(await chosen()));
    await docker.must('run', '-d', '--name', 'mine', 'busybox', 'sleep', '1000');
    assert.equal(await docker.must('inspect', '--format', '{{.HostConfig.Runtime}}', 'mine'), 'mine');
    configure({ labels, runtimes, 'default-runtime': 'nosuch' });
    process.kill(daemon.pid, 'SIGHUP');
    await until('nothing is said of it', () =>
      /default runtime 'nosuch' does not exist/.test(daemon.logTail()),
    );
    assert.match(await chosen(), /^mine crun .*mine/);
    configure({ labels });
    process.kill(daemon.pid, 'SIGHUP');
    await until('the runtime stays', async () => /^crun crun (runc )?$/.test(`${await chosen()} `));
    // What it has started goes all the same.
    await docker.must('rm', '-f', 'mine');
  });

  test('a configuration that cannot be read changes nothing', async () => {
    configure({ labels: ['stage=three'], bridges: 'x' });
    process.kill(daemon.pid, 'SIGHUP');
    await until('nothing is said of it', () => /daemon\.json, line 1: .*bridges/.test(daemon.logTail()));
    assert.equal(await labels(), '["stage=two"]');
    configure({ labels: ['stage=two'] });
  });

  test('SIGTERM lets a build end; events from before are told afterwards', async () => {
    await docker.must('volume', 'create', 'before');
    const file = 'FROM busybox\nRUN echo began; sleep 3; echo ended';
    const build = docker.shell(
      `printf '%b' '${file.replaceAll('\n', '\\n')}' | docker build -t kept - 2>&1 | tee ${world.path('build')}`,
      {
        timeoutMs: 120_000,
      },
    );
    await until(
      'the build does not begin',
      async () => (await docker.shell(`grep -q ^began ${world.path('build')}`)).code === 0,
    );
    await daemon.kill('SIGTERM');
    const outcome = await build;
    assert.match(outcome.stdout, /^ended$.*Successfully tagged kept:latest/ms);
    await daemon.start();
    assert.equal(await docker.must('run', '--rm', 'kept', 'echo', 'works'), 'works');
    assert.deepEqual(await events('type=volume', '{{.Action}} {{.Actor.ID}}'), ['create before']);
  });

  test('images no container uses are kept within their budget, once there is one', async () => {
    await docker.must('create', '--name', 'user', 'busybox', 'true');
    await docker.must('rmi', 'kept');
    const unused = await docker.shell(
      'tar -c -C / etc/hostname | docker import - unused && docker tag unused unused:2',
    );
    assert.equal(unused.code, 0, unused.stderr);
    configure({ labels: ['stage=two'], 'image-gc': { 'keep-storage': '0B', 'unused-for': '1ns' } });
    process.kill(daemon.pid, 'SIGHUP');
    const names = () => docker.must('images', '--format', '{{.Repository}}:{{.Tag}}');
    await until('the image stays', async () => (await names()) === 'busybox:latest');
    const removed = await events('event=untag', '{{.Action}}');
    assert.deepEqual(removed, ['untag', 'untag', 'untag']);
    await docker.must('rm', 'user');
    await until('its image stays without the container', async () => (await names()) === '');
  });

  test('a pull that SIGKILL cuts goes on where it was', async () => {
    configure({});
    const script = join(import.meta.dirname, 'lying-registry.ts');
    const [program = '', ...words] = world.inside([process.execPath, script, '5001']);
    const registry = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    registry.stdout.on('data', chunk => {
      said += String(chunk);
    });
    await until('the registry does not start', () => said.includes('listening'));
    const name = 'localhost:5001/lie:stalling-layer';
    const cut = docker.shell(`docker pull ${name}`);
    const parts = world.path('data', 'ingest');
    const received = () =>
      readdirSync(parts).reduce((sum, part) => sum + statSync(join(parts, part)).size, 0) > 1_000_000;
    await until('nothing arrives', received);
    await daemon.kill('SIGKILL');
    await cut;
    await daemon.start();
    await docker.must('pull', '-q', name);
    const [, start = '0'] = /range (\d+) of \d+/.exec(said) ?? [];
    assert.ok(Number(start) > 1_000_000, said);
    assert.equal(await docker.must('inspect', '--format', '{{.Config.Labels.tag}}', name), 'stalling-layer');
  });
});
