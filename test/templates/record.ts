import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from '../e2e/machine.ts';
import { serveCanned, serveRecording } from './canned-daemon.ts';
import { scene } from './cases.ts';
import { askDocker, cases, type Said } from './clients.ts';

/**
 * Writes the golden files: what a daemon answers about the scene, and what the real docker client makes of those very
 * answers with every template.
 */
const machine = await Machine.start('templates');
const folder = mkdtempSync(join(tmpdir(), 'gantry-record-'));
const environment = (socket: string) => ({
  PATH: process.env['PATH']!,
  HOME: folder,
  TZ: 'UTC',
  DOCKER_HOST: `unix://${socket}`,
});
try {
  for (const line of scene) await machine.must(line);
  const recorder = await serveRecording(machine.daemon.socket, join(folder, 'recording.sock'));
  for (const one of cases) await askDocker(one, environment(join(folder, 'recording.sock')));
  recorder.server.close();
  const text = JSON.stringify(recorder.answers, undefined, 1)
    .replaceAll(machine.world.path('data'), '/var/lib/gantry')
    .replaceAll(machine.world.path(), '/srv');
  writeFileSync(join(import.meta.dirname, 'golden', 'answers.json'), `${text}\n`);
  const server = await serveCanned(JSON.parse(text), join(folder, 'canned.sock'));
  const golden: Record<string, Record<string, Said>> = {};
  for (const one of cases) {
    golden[one.command] ??= {};
    golden[one.command]![one.template] = await askDocker(one, environment(join(folder, 'canned.sock')));
  }
  server.close();
  writeFileSync(
    join(import.meta.dirname, 'golden', 'said.json'),
    `${JSON.stringify(golden, undefined, 1)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true });
  await machine.stop();
}
