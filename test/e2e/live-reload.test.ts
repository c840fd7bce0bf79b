import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildExample, placeExample } from '../projects/example-images.ts';
import { repository } from '../support/daemon.ts';
import { PackageMirror, packagesUrl } from '../support/package-mirror.ts';
import { composeProgram } from '../support/sid-plugins.ts';
import { Machine } from './machine.ts';

/** How long a change may take to be seen on a slow machine. */
const patienceMs = 120_000;

/** examples/live-reload, on a Debian bootstrapped here: built, brought up, and changed while it runs. */
describe('live reload', { concurrency: false }, () => {
  let machine: Machine;
  let mirror: PackageMirror;
  before(async () => {
    machine = await Machine.start('reload');
    mirror = await PackageMirror.open();
    await mirror.serve(machine.world);
    await buildExample(machine, packagesUrl, 'live-reload');
  });
  after(async () => {
    await mirror?.close();
    await machine?.stop();
  });

  /** Asks for the page until it is as it should be. */
  async function seen(wanted: RegExp): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      // While the service starts anew nobody answers.
      const { stdout } = await machine.world.run(['curl', '-s', '--max-time', '20', 'localhost:8080']);
      if (wanted.test(stdout)) return;
      if (Date.now() > deadline) assert.fail(`the page does not become ${wanted} but is ${stdout}`);
      await sleep(100);
    }
  }

  for (const client of ['gantry compose', 'docker compose'] as const) {
    test(`what is saved runs at once, by ${client} watch`, () => tryIt(client));
  }

  async function tryIt(client: 'gantry compose' | 'docker compose'): Promise<void> {
    const project = placeExample(machine, 'live-reload');
    const words =
      client === 'gantry compose' ? [`${repository}/gantry`, 'compose'] : [await composeProgram()];
    const compose = words.join(' ');
    const change = (name: string, from: string, to: string) => {
      const path = join(project, name);
      const text = readFileSync(path, 'utf8');
      assert.ok(text.includes(from));
      writeFileSync(path, text.replace(from, to));
    };
    await machine.must(`cd ${project} && ${compose} up -d --wait`);
    await seen(/^Hello, it is \d\d:\d\d\n$/);
    const started = await machine.must(`docker inspect -f '{{.State.StartedAt}}' live-reload-clock-1`);
    const [program = '', ...group] = words;
    const watch = spawn(program, [...group, 'watch', '--no-up'], {
      cwd: project,
      env: machine.docker.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const watching = new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer) => {
        said += chunk;
        if (/watch enabled/i.test(said)) resolve();
      };
      watch.stdout.on('data', take);
      watch.stderr.on('data', take);
      watch.once('exit', code => reject(new Error(`compose watch ended with ${code}: ${said}`)));
    });
    await watching;

    change('src/page.ts', 'it is', 'the time is');
    await seen(/^Hello, the time is \d\d:\d\d\n$/);
    assert.equal(
      await machine.must(`docker inspect -f '{{.State.StartedAt}}' live-reload-clock-1`),
      started,
      'only node was started anew',
    );
    change('settings.json', 'Hello', 'Good day');
    await seen(/^Good day, the time is \d\d:\d\d\n$/);
    assert.notEqual(
      await machine.must(`docker inspect -f '{{.State.StartedAt}}' live-reload-clock-1`),
      started,
      'a new setting wants a restart',
    );
    watch.kill('SIGINT');
    await once(watch, 'exit');
    await machine.must(`cd ${project} && ${compose} down`);
  }
});
