import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Digest } from '../../oci/digest.ts';
import type { Database } from '../../storage/database.ts';
import type { KeyParts } from '../cache.ts';
import { compareInputs, type InputFile, type Reason, type StepInputs } from './reason.ts';

/** Where an instruction stands: what was built there last is what it is compared with. */
export interface StepPlace {
  /** What tells one project's builds from another's: the name of the image, or of the Dockerfile. */
  project: string;
  /** Name or index. */
  stage: string;
  /** Position in the stage. */
  ordinal: number;
  /** The instruction as written. */
  text: string;
}

export interface RecordedStep extends Omit<StepInputs, 'files'> {
  key: Digest;
  place: StepPlace;
  /** Asked only when something must be written or compared: contexts can have many files. */
  files: () => readonly InputFile[];
}

const migrations = [
  `create table build_steps (
     key text primary key,
     project text not null,
     stage text not null,
     ordinal integer not null,
     text text not null,
     parent text,
     parts text not null,
     argument_names text not null,
     files blob not null,
     used_ms integer not null
   ) strict, without rowid;
   create index build_steps_text on build_steps (text, used_ms);
   create index build_steps_place on build_steps (project, stage, ordinal, used_ms)`,
];

/** How many are kept, the latest used. Each costs some hundred bytes, and for a COPY some 20 per file. */
const kept = 2000;

interface Row {
  key: Digest;
  project: string;
  stage: string;
  text: string;
  parent: string | null;
  parts: string;
  argument_names: string;
  files: Uint8Array;
}

/**
 * What the keys of past steps were made of, so that a miss can be explained. Nothing else depends on it: entries
 * outlive the results they describe, and those that are gone only cost an explanation.
 */
export class StepRecords {
  readonly #database: Database;
  #lastMs = 0;

  constructor(database: Database) {
    this.#database = database;
    database.migrate('build-explain', migrations);
    database
      .prepare(
        `delete from build_steps where key not in (select key from build_steps order by used_ms desc limit ${kept})`,
      )
      .run();
  }

  /** Why there was no result for a step. To be asked before remember(). */
  explainMiss(step: RecordedStep): Reason {
    if (this.#find('where key = ?', step.key) !== undefined) return { kind: 'pruned' };
    const same = this.#sameInstruction(step.place);
    if (same !== undefined) {
      const after = { ...step, files: step.files() };
      // Keys differ, so something does.
      return compareInputs(inputsOf(same), after) ?? { kind: 'parent' };
    }
    const { project, stage, ordinal } = step.place;
    const other = this.#find(
      'where project = ? and stage = ? and ordinal = ? order by used_ms desc limit 1',
      project,
      stage,
      ordinal,
    );
    return other === undefined ? { kind: 'first' } : { kind: 'instruction', before: other.text };
  }

  /** Of what the same instruction was made the last time. */
  partOfLast(place: StepPlace, name: string): string | undefined {
    const row = this.#sameInstruction(place);
    if (row === undefined) return undefined;
    const value = (JSON.parse(row.parts) as KeyParts)[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** Notes what a step was made of, and that it was used now. */
  remember(step: RecordedStep): void {
    const { key, place, parent, parts, argumentNames } = step;
    const { project, stage, ordinal, text } = place;
    const usedMs = this.#nextMs();
    const updated = this.#database
      .prepare(
        'update build_steps set project = ?, stage = ?, ordinal = ?, text = ?, used_ms = ? where key = ?',
      )
      .run(project, stage, ordinal, text, usedMs, key);
    if (updated.changes > 0) return;
    this.#database
      .prepare('insert into build_steps values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(
        key,
        project,
        stage,
        ordinal,
        text,
        parent,
        JSON.stringify(parts),
        JSON.stringify(argumentNames),
        packFiles(step.files()),
        usedMs,
      );
  }

  /** The same text where it stood before, else wherever it was built last. */
  #sameInstruction({ project, stage, text }: StepPlace): Row | undefined {
    return (
      this.#find(
        'where text = ? and project = ? and stage = ? order by used_ms desc limit 1',
        text,
        project,
        stage,
      ) ?? this.#find('where text = ? order by used_ms desc limit 1', text)
    );
  }

  #find(condition: string, ...values: (string | number)[]): Row | undefined {
    return this.#database
      .prepare(
        `select key, project, stage, text, parent, parts, argument_names, files from build_steps ${condition}`,
      )
      .get(...values) as unknown as Row | undefined;
  }

  /** Two steps within a millisecond are still one after the other. */
  #nextMs(): number {
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    return this.#lastMs;
  }
}

function inputsOf(row: Row): StepInputs {
  return {
    parts: JSON.parse(row.parts) as KeyParts,
    parent: row.parent,
    argumentNames: JSON.parse(row.argument_names) as string[],
    files: unpackFiles(row.files),
  };
}

function packFiles(files: readonly InputFile[]): Uint8Array {
  if (files.length === 0) return new Uint8Array();
  const rows = files.map(({ path, digest, attributes }) => [path, digest, attributes]);
  return zstdCompressSync(JSON.stringify(rows));
}

function unpackFiles(bytes: Uint8Array): InputFile[] {
  if (bytes.length === 0) return [];
  const rows = JSON.parse(zstdDecompressSync(bytes).toString('utf8')) as [string, string, string][];
  return rows.map(([path, digest, attributes]) => ({ path, digest, attributes }));
}
