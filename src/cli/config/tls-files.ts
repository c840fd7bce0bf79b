import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsMaterial } from '../../client/endpoint.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';

/**
 * Reads the PEM files of --tls. Files named by flags must exist; those of the folder may be missing, but for the CA when
 * the server is to be verified.
 */
export function loadTls(
  folder: string,
  files: { ca?: string; cert?: string; key?: string },
  verify: boolean,
): TlsMaterial {
  const read = (given: string | undefined, name: string) => {
    const path = given ?? join(folder, name);
    if (given === undefined && !existsSync(path)) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new EngineError(
        'invalid',
        `could not read ${name.replace('.pem', '')} ${JSON.stringify(path)}: ${messageOf(error)}`,
      );
    }
  };
  return {
    ca: verify ? read(files.ca, 'ca.pem') : undefined,
    cert: read(files.cert, 'cert.pem'),
    key: read(files.key, 'key.pem'),
    verify,
  };
}
