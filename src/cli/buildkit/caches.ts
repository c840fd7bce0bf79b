import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { readAttributes, splitFields } from './attributes.ts';
import type { ContentStore } from './content.ts';
import { digestOfTag, putTag } from './layout-index.ts';

export interface Cache {
  type: string;
  attributes: Record<string, string>;
}

/** `--cache-from user/app:cache`, `--cache-to type=registry,ref=user/app:cache`. */
export function readCaches(texts: readonly string[]): Cache[] {
  return texts
    .filter(text => text !== '')
    .flatMap(text => {
      const fields = splitFields(text);
      if (fields.every(field => !field.includes('='))) {
        return fields.map(ref => ({ type: 'registry', attributes: { ref } }));
      }
      const { type = '', ...attributes } = readAttributes(fields);
      if (type === '') throw new EngineError('invalid', 'type required form> "type=local"');
      return [{ type, attributes }];
    });
}

/** Caches in directories of this machine: the daemon reads and writes them by the session. */
export class LocalCaches {
  readonly stores = new Map<string, ContentStore>();
  readonly imports: Cache[] = [];
  readonly exports: Cache[];
  readonly #written: { directory: string; tag: string }[] = [];

  /** @param warn is told of a source that is not there, which costs its hits and nothing else */
  constructor(
    {
      from,
      to,
      workingDirectory,
    }: { from: readonly Cache[]; to: readonly Cache[]; workingDirectory: string },
    warn: (text: string) => void,
  ) {
    for (const cache of from) {
      const found = cache.type === 'local' ? this.#source(cache, workingDirectory, warn) : cache;
      if (found !== undefined) this.imports.push(found);
    }
    this.exports = [...to];
    for (const { type, attributes } of to) {
      if (type !== 'local') continue;
      const { dest = '', tag = 'latest' } = attributes;
      if (dest === '') throw new EngineError('invalid', 'local cache exporter requires dest');
      const directory = resolve(workingDirectory, dest);
      mkdirSync(directory, { recursive: true });
      this.stores.set(`local:${dest}`, { directory, writable: true });
      this.#written.push({ directory, tag });
    }
  }

  #source(
    { type, attributes }: Cache,
    workingDirectory: string,
    warn: (text: string) => void,
  ): Cache | undefined {
    const { src = '', tag = 'latest' } = attributes;
    if (src === '') throw new EngineError('invalid', 'local cache importer requires src');
    const directory = resolve(workingDirectory, src);
    let digest = attributes['digest'] ?? '';
    if (digest === '') {
      try {
        digest = digestOfTag(directory, tag) ?? '';
      } catch (error) {
        warn(`local cache import at ${src} not found due to err: ${messageOf(error)}`);
        return undefined;
      }
      const wanted = 'either explicit digest, "latest" tag or custom tag on index.json';
      if (digest === '') throw new EngineError('invalid', `local cache importer requires ${wanted}`);
    }
    const id = `local:${src}`;
    if (!this.stores.has(id)) this.stores.set(id, { directory, writable: false });
    return { type, attributes: { ...attributes, digest } };
  }

  /** The daemon has written a cache: from now on the directory shows it. @param answer to Solve */
  noteExported(answer: ReadonlyMap<string, string>): void {
    const descriptor = answer.get('cache.manifest');
    if (descriptor === undefined || descriptor === '') return;
    for (const { directory, tag } of this.#written) {
      putTag(directory, tag, JSON.parse(descriptor) as { digest: string });
    }
  }
}
