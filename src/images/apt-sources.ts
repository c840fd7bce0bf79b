import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoOf } from '../stdx/errors.ts';

export type Distribution = 'debian' | 'ubuntu';

export interface AptSource {
  uri: string;
  suite: string;
  /** As in sources.list: `deb http://deb.debian.org/debian bookworm main`. */
  line: string;
}

/** One stanza or line of the host's own sources. */
export interface HostSource {
  uri: string;
  suites: string[];
  /** Path of the keyring that its packages are signed with; undefined: what apt trusts anyway. */
  signedBy?: string;
}

const defaultMirror = 'http://deb.debian.org/debian';
const defaultSecurity = 'http://deb.debian.org/debian-security';

/** Suites that have no updates and security archives of their own. */
const rolling = new Set(['sid', 'unstable', 'experimental']);

/** Where the keys of a distribution are that is not the host's own. */
export const ubuntuKeyring = '/usr/share/keyrings/ubuntu-archive-keyring.gpg';

/**
 * Where the packages of a suite come from: the suite, its updates, its security updates. The host's mirrors are used
 * for other suites too, and Debian's are known to everybody.
 * @throws EngineError `notFound` where the host's sources have no Ubuntu, `invalid` for a bad mirror.
 */
export function planSources(
  distribution: Distribution,
  suite: string,
  mirror: string | undefined,
  host: HostSource[],
): AptSource[] {
  const ofHost = host.find(source => new RegExp(`/${distribution}/?$`).test(source.uri));
  const main = mirror ?? ofHost?.uri ?? (distribution === 'debian' ? defaultMirror : undefined);
  if (main === undefined) {
    throw new EngineError(
      'notFound',
      "bootstrapping ubuntu: this host's apt sources have no Ubuntu (a URI that ends in /ubuntu)",
    );
  }
  if (!/^(https?|file|mirror\+file):\/\/[^\s"'[\]]+$/.test(main)) {
    throw new EngineError('invalid', `invalid mirror "${main}"`);
  }
  const options = distribution === 'ubuntu' ? `[signed-by=${ofHost?.signedBy ?? ubuntuKeyring}] ` : '';
  const components = distribution === 'ubuntu' ? 'main restricted universe multiverse' : 'main';
  const sourceOf = (uri: string, name: string): AptSource => {
    return { uri, suite: name, line: `deb ${options}${uri} ${name} ${components}` };
  };
  const sources = [sourceOf(main, suite)];
  if (rolling.has(suite)) return sources;
  // A mirror given by hand may be a partial one: only the suite is taken for granted there.
  if (mirror !== undefined) return sources;
  const updates = sourceOf(main, `${suite}-updates`);
  if (distribution === 'ubuntu') return [...sources, updates, sourceOf(main, `${suite}-security`)];
  const security = host.find(source => /\/debian-security\/?$/.test(source.uri))?.uri ?? defaultSecurity;
  return [...sources, updates, sourceOf(security, `${suite}-security`)];
}

/** The package sources of this machine, in both formats (sources.list(5)). */
export async function hostSources(directory = '/etc/apt'): Promise<HostSource[]> {
  const files = [join(directory, 'sources.list')];
  for (const name of (await readNames(join(directory, 'sources.list.d'))).sort()) {
    files.push(join(directory, 'sources.list.d', name));
  }
  const sources: HostSource[] = [];
  for (const file of files) {
    const text = await readText(file);
    sources.push(...(file.endsWith('.sources') ? parseStanzas(text) : parseLines(text)));
  }
  return sources;
}

/** `deb [options] uri suite component…` */
export function parseLines(text: string): HostSource[] {
  return text.split('\n').flatMap(line => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/.exec(line);
    if (match === null) return [];
    const keyring = /(?:^|\s)signed-by=(\S+)/i.exec(match[1] ?? '')?.[1];
    return [sourceWith({ uri: match[2]!, suites: [match[3]!] }, keyring)];
  });
}

/** deb822: stanzas of `Field: value`, comments between, values going on in lines that begin with a space. */
export function parseStanzas(text: string): HostSource[] {
  const sources: HostSource[] = [];
  const body = text.replace(/^#.*\n?/gm, '');
  for (const stanza of body.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    for (const match of stanza.matchAll(/^([A-Za-z-]+):((?:.*)(?:\n[ \t]+.*)*)/gm)) {
      fields.set(match[1]!.toLowerCase(), match[2]!.trim());
    }
    if (fields.get('enabled')?.toLowerCase() === 'no') continue;
    if (!words(fields.get('types')).includes('deb')) continue;
    const suites = words(fields.get('suites'));
    for (const uri of words(fields.get('uris')))
      sources.push(sourceWith({ uri, suites }, fields.get('signed-by')));
  }
  return sources;
}

/** A keyring counts when it is a file; keys can also stand in the stanza itself. */
function sourceWith(source: HostSource, keyring: string | undefined): HostSource {
  return keyring !== undefined && /^\/[^\s[\]]+$/.test(keyring) ? { ...source, signedBy: keyring } : source;
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter(word => word !== '');
}

async function readNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter(name => name.endsWith('.list') || name.endsWith('.sources'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
