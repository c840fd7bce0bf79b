/**
 * Records what docker compose says of the projects in this folder, from Debian's unstable suite:
 *
 *     node test/compose/record.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeProgram } from '../support/sid-plugins.ts';
import { brokenProjects } from './broken.ts';
import { goldenDirectory, goldenFile, inProject, otherAsWritten, surroundings } from './projects.ts';
import { validProjects } from './valid.ts';

const answerTimeoutMs = 60_000;
const program = await composeProgram();

function compose(
  directory: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  const options = { cwd: directory, env: surroundings, encoding: 'utf8', timeout: answerTimeoutMs } as const;
  const { error, ...answer } = spawnSync(program, ['config', ...args], options);
  // Some files keep it busy for good.
  if (error !== undefined) throw error;
  return answer;
}

for (const kind of ['valid', 'written']) {
  rmSync(join(goldenDirectory, kind), { recursive: true, force: true });
  mkdirSync(join(goldenDirectory, kind), { recursive: true });
}
for (const [name, files] of Object.entries(validProjects)) {
  const text = inProject(files, directory => {
    const yaml = compose(directory);
    if (yaml.status !== 0) throw new Error(`${name}: ${yaml.stderr}`);
    return `${yaml.stdout}# hashes\n${compose(directory, '--hash', '*').stdout}`;
  });
  writeFileSync(goldenFile(name), text);
  if (otherAsWritten.has(name)) continue;
  const written = inProject(files, directory => compose(directory, '--no-interpolate').stdout);
  writeFileSync(goldenFile(name, 'written'), written);
}

const refusals = Object.entries(brokenProjects).map(([name, files]) => {
  const said = inProject(files, directory => {
    const { status, stderr } = compose(directory, '-q');
    const last = stderr
      .trimEnd()
      .split('\n')
      .filter(line => !line.startsWith('time='))
      .join('\n    ');
    return status === 0 ? 'accepted' : last;
  });
  return `${name}\n    ${said}\n`;
});
writeFileSync(join(goldenDirectory, 'broken-docker.txt'), refusals.join(''));
