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
import { goldenDirectory, goldenFile, inProject, surroundings } from './projects.ts';
import { validProjects } from './valid.ts';

const program = await composeProgram();

function compose(
  directory: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, ['config', ...args], { cwd: directory, env: surroundings, encoding: 'utf8' });
}

rmSync(join(goldenDirectory, 'valid'), { recursive: true, force: true });
mkdirSync(join(goldenDirectory, 'valid'), { recursive: true });
for (const [name, files] of Object.entries(validProjects)) {
  const text = inProject(files, directory => {
    const yaml = compose(directory);
    if (yaml.status !== 0) throw new Error(`${name}: ${yaml.stderr}`);
    return `${yaml.stdout}# hashes\n${compose(directory, '--hash', '*').stdout}`;
  });
  writeFileSync(goldenFile(name), text);
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
