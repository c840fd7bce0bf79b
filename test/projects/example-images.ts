import { createHash } from 'node:crypto';
import { cpSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../e2e/machine.ts';
import { cached } from '../support/cache.ts';
import { repository } from '../support/daemon.ts';
import { debianArchive, debianImage } from '../support/debian-image.ts';

const examples = join(repository, 'examples');
const buildTimeoutMs = 1_500_000;

/** Copies a project of examples/, and the images it builds, into the machine's work folder. @returns where it is */
export function placeExample(machine: Machine, name: string): string {
  for (const folder of ['images', name]) {
    cpSync(join(examples, folder), machine.world.path('work', folder), {
      recursive: true,
      // What somebody who tried it left there.
      filter: source => !/\/secrets(\.\w+)?$/.test(source),
    });
  }
  return machine.world.path('work', name);
}

/**
 * Builds a project as its README says.
 * @param packages where its steps get packages; it serves the machine's world
 */
export async function buildExample(machine: Machine, packages: string, name: string): Promise<void> {
  await machine.docker.must('load', '-i', await debianArchive());
  const build = `${repository}/gantry compose build --build-arg http_proxy=${packages}`;
  await machine.must(`cd ${placeExample(machine, name)} && ${build}`, buildTimeoutMs);
}

/** Loads a project's images; built by the machine when nobody has built these before. */
export async function haveImages(machine: Machine, packages: string, name: string): Promise<void> {
  let built = false;
  const archive = await cached(`example-${name}-${inputsOf(name)}.tar`, async target => {
    await buildExample(machine, packages, name);
    built = true;
    const images = await machine.must(`cd ${name} && ${repository}/gantry compose config --images | sort -u`);
    await machine.docker.must('save', '-o', target, ...images.split('\n'));
  });
  if (!built) await machine.docker.must('load', '-i', archive);
  placeExample(machine, name);
}

/** A digest of everything that images are made of. */
function inputsOf(name: string): string {
  const hash = createHash('sha256').update(debianImage);
  const patterns = ['images/**', `${name}/**/{Dockerfile,.dockerignore,*.ts}`];
  const files = globSync(patterns, { cwd: examples, withFileTypes: true }).filter(entry => entry.isFile());
  for (const path of files.map(entry => join(entry.parentPath, entry.name)).sort())
    hash.update(path.slice(examples.length)).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex').slice(0, 16);
}
