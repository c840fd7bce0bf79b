import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { brokenProjects } from '../../../test/compose/broken.ts';
import {
  goldenDirectory,
  goldenFile,
  inProject,
  otherAsWritten,
  surroundings,
} from '../../../test/compose/projects.ts';
import { validProjects } from '../../../test/compose/valid.ts';
import { messageOf } from '../../stdx/errors.ts';
import { serviceHash } from '../print/hash.ts';
import { printedModel, printedProject } from '../print/ordered.ts';
import { toYaml } from '../print/yaml.ts';
import { type Loaded, type LoadOptions, loadProject } from './load.ts';
import { withoutUnused } from './profiles.ts';
import { findSources } from './sources.ts';

describe('projects print as docker compose prints them', () => {
  for (const [name, files] of Object.entries(validProjects)) {
    test(name, () => {
      const ours = inProject(files, directory => {
        const { project } = load(directory);
        const asWritten = load(directory, { readsEnvFiles: false }).project;
        const hashes = Object.entries(asWritten.services)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([service, value]) => `${service} ${serviceHash(value)}\n`);
        const yaml = toYaml(printedProject(withoutUnused(project), 'yaml')).replaceAll('$', '$$$$');
        return `${yaml}# hashes\n${withoutPaths(files, hashes.join(''))}`;
      });
      const theirs = readFileSync(goldenFile(name), 'utf8');
      const [yaml, hashes] = theirs.split('# hashes\n');
      assert.equal(ours, `${yaml}# hashes\n${withoutPaths(files, hashes!)}`);
    });
  }
});

test('what is not interpolated prints as it is written, as docker compose has it', () => {
  for (const [name, files] of Object.entries(validProjects)) {
    if (otherAsWritten.has(name)) continue;
    const ours = inProject(files, directory => {
      const { project } = load(directory, { interpolates: false });
      return toYaml(printedModel(project, 'yaml'));
    });
    assert.equal(ours, readFileSync(goldenFile(name, 'written'), 'utf8'), name);
  }
});

/** A hash with a path in it is another in every directory. */
function withoutPaths(files: Record<string, string>, hashes: string): string {
  const hasPaths = /\.\/|build: \.|env_file|file:/.test(Object.values(files).join(''));
  return hasPaths ? '' : hashes;
}

test('broken projects: the error says where and what', () => {
  const said = Object.entries(brokenProjects).map(([name, files]) => {
    const message = inProject(files, directory => {
      try {
        load(directory);
        return 'accepted';
      } catch (error) {
        return messageOf(error);
      }
    });
    return `${name}\n    ${message}\n`;
  });
  const golden = join(goldenDirectory, 'broken.txt');
  if (process.env['GANTRY_RECORD'] === '1') writeFileSync(golden, said.join(''));
  assert.equal(said.join(''), readFileSync(golden, 'utf8'));
  assert.doesNotMatch(said.join(''), /^ {4}accepted$/m);
});

function load(directory: string, options: Partial<LoadOptions> = {}): Loaded {
  const sources = findSources({
    files: [],
    envFiles: [],
    profiles: [],
    workingDirectory: directory,
    environment: surroundings,
    warn: () => {},
  });
  return loadProject(sources, { homeDirectory: surroundings.HOME, warn: () => {}, ...options });
}
