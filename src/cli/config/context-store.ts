import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsMaterial } from '../../client/endpoint.ts';
import { EngineError } from '../../stdx/errors.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import { sha256OfText } from '../../stdx/sha256.ts';

/**
 * Named places of daemons, on disk as docker keeps them:
 *
 *     contexts/
 *       meta/<sha256 of the name>/meta.json
 *       tls/<sha256 of the name>/docker/{ca,cert,key}.pem
 */
export interface ContextMetadata {
  Name: string;
  Metadata: { Description?: string; [key: string]: unknown };
  Endpoints: { docker?: { Host?: string; SkipTLSVerify?: boolean } };
}

export class ContextStore {
  readonly #root: string;

  constructor(configDirectory: string) {
    this.#root = join(configDirectory, 'contexts');
  }

  list(): ContextMetadata[] {
    const folder = join(this.#root, 'meta');
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .map(name => join(folder, name, 'meta.json'))
      .filter(existsSync)
      .map(path => JSON.parse(readFileSync(path, 'utf8')) as ContextMetadata)
      .sort((left, right) => (left.Name < right.Name ? -1 : 1));
  }

  has(name: string): boolean {
    return existsSync(join(this.metadataPath(name), 'meta.json'));
  }

  /** @throws notFound */
  get(name: string): ContextMetadata {
    if (!this.has(name)) {
      const path = join(this.metadataPath(name), 'meta.json');
      throw new EngineError(
        'notFound',
        `context "${name}": context not found: open ${path}: no such file or directory`,
      );
    }
    return JSON.parse(readFileSync(join(this.metadataPath(name), 'meta.json'), 'utf8')) as ContextMetadata;
  }

  save(context: ContextMetadata, tls: { ca?: string; cert?: string; key?: string } = {}): void {
    for (const [kind, pem] of Object.entries(tls)) {
      if (pem === undefined) continue;
      const folder = join(this.tlsPath(context.Name), 'docker');
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, `${kind}.pem`), pem, { mode: 0o600 });
    }
    const folder = this.metadataPath(context.Name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const aside = join(folder, `meta.json.${process.pid}`);
    writeFileSync(aside, JSON.stringify(context));
    renameSync(aside, join(folder, 'meta.json'));
  }

  remove(name: string): void {
    this.get(name);
    removeRecursively(this.metadataPath(name));
    removeRecursively(this.tlsPath(name));
  }

  tls(name: string): TlsMaterial | undefined {
    const folder = join(this.tlsPath(name), 'docker');
    if (!existsSync(folder)) return undefined;
    const read = (file: string) =>
      existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : undefined;
    const skips = this.get(name).Endpoints.docker?.SkipTLSVerify === true;
    return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem'), verify: !skips };
  }

  metadataPath(name: string): string {
    return join(this.#root, 'meta', hash(name));
  }

  tlsPath(name: string): string {
    return join(this.#root, 'tls', hash(name));
  }
}

function hash(name: string): string {
  return sha256OfText(name);
}
