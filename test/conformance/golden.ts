import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from './compare.ts';
import type { Scenario } from './scenario.ts';

/** The reference's recorded answers by scenario name, for machines without a dockerd. */
export type Golden = Record<string, { lines: string[]; answers: Answer[] }>;

const directory = join(import.meta.dirname, 'golden');

export function readGolden(group: string): Golden {
  const path = join(directory, `${group}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Golden) : {};
}

/** Writes a group in the order of its table; scenarios that no longer exist are dropped. */
export function writeGolden(group: string, golden: Golden, scenarios: readonly Scenario[]): void {
  const known = scenarios.filter(({ name }) => name in golden).map(({ name }) => [name, golden[name]]);
  writeFileSync(
    join(directory, `${group}.json`),
    `${JSON.stringify(Object.fromEntries(known), undefined, 1)}\n`,
  );
}
