import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoOf } from '../stdx/errors.ts';

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
}

const defaultMirror = 'http://deb.debian.org/debian';
const defaultSecurity = 'http://deb.debian.org/debian-security';

/** Suites that have no updates and security archives of their own. */
const rolling = new Set(['sid', 'unstable', 'experimental']);

/**
 * Where the packages of a suite come from: the suite, its updates, its security updates. The host's mirrors of Debian
 * are used for other suites too.
 */
export function planSources(suite: string, mirror: string | undefined, host: HostSource[]): AptSource[] {
  const main = mirror ?? host.find(source => /\/debian\/?$/.test(source.uri))?.uri ?? defaultMirror;
  if (!/^(https?|file|mirror\+file):\/\/[^\s"'[\]]+$/.test(main)) {
    throw new EngineError('invalid', `invalid mirror "${main}"`);
  }
  const sources = [sourceOf(main, suite)];
  if (rolling.has(suite)) return sources;
  // A mirror given by hand may be a partial one: only the suite is taken for granted there.
  if (mirror !== undefined) return sources;
  const security = host.find(source => /\/debian-security\/?$/.test(source.uri))?.uri ?? defaultSecurity;
  return [...sources, sourceOf(main, `${suite}-updates`), sourceOf(security, `${suite}-security`)];
}

function sourceOf(uri: string, suite: string): AptSource {
  return { uri, suite, line: `deb ${uri} ${suite} main` };
}

/** Debian's package sources on this machine, in both formats (sources.list(5)). */
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
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line);
    return match === null ? [] : [{ uri: match[1]!, suites: [match[2]!] }];
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
    for (const uri of words(fields.get('uris'))) sources.push({ uri, suites });
  }
  return sources;
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
