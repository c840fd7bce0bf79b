import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../stdx/errors.ts';

/** What an administrator has put down for one registry, as PEM. */
export interface RegistryCertificates {
  /** Trusted for it, besides those of the system. */
  authorities: string[];
  /** Shown to it when it asks who we are. */
  identities: { certificate: string; key: string }[];
}

/** For other hosts that a registry names: its authorities are trusted there too, as by Docker, and nothing is shown. */
export function withoutIdentities(
  certificates: RegistryCertificates | undefined,
): RegistryCertificates | undefined {
  return certificates && { authorities: certificates.authorities, identities: [] };
}

/** Docker's own is looked at too, so that what is there already counts. */
export const certificateDirectories = ['/etc/gantry/certs.d', '/etc/docker/certs.d'];

/**
 *     <directory>/<host[:port]>/
 *     ├── *.crt            an authority
 *     └── *.cert, *.key    a certificate of our own and its key, by the same name
 *
 * @returns undefined when there is no such folder in any of the directories; the first one counts
 * @throws EngineError `invalid`, in dockerd's words, for a certificate without its key and the other way round
 */
export function readCertificates(
  directories: readonly string[],
  host: string,
): RegistryCertificates | undefined {
  if (host.includes('/') || host.startsWith('.')) return undefined;
  const folder = directories.map(directory => join(directory, host)).find(path => existsSync(path));
  if (folder === undefined) return undefined;
  const names = readdirSync(folder).sort();
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const partnerOf = (name: string, from: RegExp, to: string) => name.replace(from, to);
  for (const name of names.filter(one => one.endsWith('.key'))) {
    const partner = partnerOf(name, /key$/, 'cert');
    if (!names.includes(partner))
      throw new EngineError('invalid', `missing client certificate ${partner} for key ${name}`);
  }
  return {
    authorities: names.filter(name => name.endsWith('.crt')).map(read),
    identities: names
      .filter(name => name.endsWith('.cert'))
      .map(name => {
        const partner = partnerOf(name, /cert$/, 'key');
        if (names.includes(partner)) return { certificate: read(name), key: read(partner) };
        throw new EngineError(
          'invalid',
          `missing key ${partner} for client certificate ${name}. CA certificates must use the extension .crt`,
        );
      }),
  };
}
