/**
 * Records what docker compose 2 asks dockerd 28 to make for the projects of made.ts:
 *
 *     node test/compose/record-made.ts [NAME]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reference } from '../dockerfiles/reference.ts';
import { busyboxArchive } from '../support/base-images.ts';
import { runProgram } from '../support/run-program.ts';
import { composeProgram } from '../support/sid-plugins.ts';
import { madeProjects } from './made.ts';
import { goldenDirectory, writeProject } from './projects.ts';
import { RecordingProxy } from './recording-proxy.ts';

const wanted = process.argv[2];
const program = await composeProgram();
const reference = await Reference.start();
const proxy = await RecordingProxy.start(reference.world.path('proxy.sock'), reference.socket);
const directory = join(goldenDirectory, 'made');
mkdirSync(directory, { recursive: true });
const env = { HOME: '/home/somebody', PATH: '/usr/bin:/bin', DOCKER_HOST: `unix://${proxy.socket}` };
try {
  await docker('load', '-i', await busyboxArchive());
  await docker('volume', 'create', 'made-before');
  await docker('network', 'create', 'made-before');
  await docker('create', '--name', 'chosen', 'busybox');
  for (const [name, files] of Object.entries(madeProjects))
    if (wanted === undefined || wanted === name) await record(name, files);
} finally {
  proxy.stop();
  await reference.stop();
}

async function record(name: string, files: Record<string, string>): Promise<void> {
  const scratch = mkdtempSync(reference.world.path('work', 'made-'));
  const project = join(scratch, 'demo');
  writeProject(project, files);
  proxy.makings = [];
  const { stderr } = await compose(project, 'create', '--pull', 'never');
  const failure = stderr
    .trimEnd()
    .split('\n')
    .filter(line => !/^( |time=)/.test(line));
  const makings = proxy.makings.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  let text = `${JSON.stringify({ makings, failure }, withoutNothing, 1)}\n`.replaceAll(
    project,
    '<directory>',
  );
  for (const [id, container] of proxy.containers) text = text.replaceAll(id, `<${container}>`);
  writeFileSync(join(directory, `${name.replaceAll(' ', '-').toLowerCase()}.json`), text);
  await compose(project, 'down', '-v', '-t', '0');
  rmSync(scratch, { recursive: true, force: true });
}

/** Most of what docker compose sends says nothing. */
function withoutNothing(_: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.every(item => item === 0) ? undefined : value;
  return value === null || value === '' || value === 0 || value === false ? undefined : value;
}

function keyOf({ path, query, body }: (typeof proxy.makings)[number]): string {
  return `${path} ${query['name'] ?? (body as { Name?: string }).Name ?? ''}`;
}

function compose(cwd: string, ...args: string[]) {
  return runProgram([program, ...args], { cwd, env, timeoutMs: 120_000 });
}

async function docker(...args: string[]): Promise<void> {
  const { code, stderr } = await runProgram(['docker', ...args], { env, timeoutMs: 120_000 });
  if (code !== 0) throw new Error(stderr);
}
