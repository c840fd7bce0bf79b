import type { ConfinedRoot } from '../../storage/confined.ts';

/** A package that a list in the image says is installed. */
export interface InstalledPackage {
  type: 'deb' | 'apk';
  name: string;
  version: string;
  architecture: string;
  /** Of the source it was built from, where that has another name or version. */
  source?: { name: string; version: string };
  /** As the list has it; an SPDX expression in apk's. */
  license?: string;
  maintainer?: string;
  homepage?: string;
  /** Where it says so. */
  list: string;
}

/** The lists of real images are some MiB. */
const listLimitBytes = 64 << 20;

/** All packages of the lists that Debian's and Alpine's package managers keep; without any, none. */
export async function installedPackages(root: ConfinedRoot): Promise<InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  for (const path of ['/var/lib/dpkg/status', ...(await filesIn(root, '/var/lib/dpkg/status.d'))]) {
    const text = await read(root, path);
    if (text !== undefined) found.push(...parseDpkg(text, path));
  }
  for (const path of ['/lib/apk/db/installed', '/usr/lib/apk/db/installed']) {
    const text = await read(root, path);
    if (text !== undefined) found.push(...parseApk(text, path));
  }
  const key = ({ type, name, architecture, version }: InstalledPackage) =>
    JSON.stringify([type, name, architecture, version]);
  const unique = new Map(found.map(one => [key(one), one]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** `ID` and `VERSION_ID` of os-release. */
export async function distributionOf(
  root: ConfinedRoot,
): Promise<{ id: string; version: string } | undefined> {
  const text = (await read(root, '/etc/os-release')) ?? (await read(root, '/usr/lib/os-release'));
  const value = (name: string) =>
    new RegExp(`^${name}=(.*)$`, 'm').exec(text ?? '')?.[1]?.replace(/^(["'])(.*)\1$/, '$2') ?? '';
  const id = value('ID');
  return id === '' ? undefined : { id, version: value('VERSION_ID') };
}

async function read(root: ConfinedRoot, path: string): Promise<string | undefined> {
  const stat = await root.stat(path);
  if (stat === undefined) return undefined;
  const real = stat.type === 'symlink' ? await root.resolve(path) : path;
  if ((await root.stat(real))?.type !== 'file') return undefined;
  return (await root.readFile(real, listLimitBytes))?.toString('utf8');
}

/** Images without dpkg (distroless) have a file for each package. */
async function filesIn(root: ConfinedRoot, path: string): Promise<string[]> {
  if ((await root.stat(path))?.type !== 'directory') return [];
  const entries = await root.list(path);
  return entries
    .filter(entry => entry.type === 'file' && !entry.path.endsWith('.md5sums'))
    .map(entry => `${path}/${entry.path}`);
}

/** dpkg's status: paragraphs of fields (deb822). What is removed or half installed is left out. */
export function parseDpkg(text: string, list: string): InstalledPackage[] {
  return text.split(/\n\s*\n/).flatMap((paragraph): InstalledPackage[] => {
    const fields = new Map(
      [...paragraph.matchAll(/^([A-Za-z][A-Za-z-]*):[ \t]*(.*)$/gm)].map(match => [
        match[1]!.toLowerCase(),
        match[2]!.trim(),
      ]),
    );
    const [name, version] = [fields.get('package'), fields.get('version')];
    const status = fields.get('status') ?? 'install ok installed';
    if (name === undefined || version === undefined || !status.endsWith(' installed')) return [];
    const source = /^(\S+)(?:\s+\((.+)\))?$/.exec(fields.get('source') ?? '');
    return [
      {
        type: 'deb',
        name,
        version,
        architecture: fields.get('architecture') ?? '',
        ...(source === null ? {} : { source: { name: source[1]!, version: source[2] ?? version } }),
        ...some('maintainer', fields.get('maintainer')),
        ...some('homepage', fields.get('homepage')),
        list,
      },
    ];
  });
}

/** apk's database: one letter, a colon, a value; a line without anything between packages. */
export function parseApk(text: string, list: string): InstalledPackage[] {
  return text.split(/\n\s*\n/).flatMap((paragraph): InstalledPackage[] => {
    const fields = new Map<string, string>();
    for (const line of paragraph.split('\n')) {
      // After the first F: come the files.
      if (line.startsWith('F:')) break;
      if (line[1] === ':') fields.set(line[0]!, line.slice(2).trim());
    }
    const [name, version] = [fields.get('P'), fields.get('V')];
    if (name === undefined || version === undefined) return [];
    const origin = fields.get('o');
    return [
      {
        type: 'apk',
        name,
        version,
        architecture: fields.get('A') ?? '',
        ...(origin === undefined || origin === name ? {} : { source: { name: origin, version } }),
        ...some('license', fields.get('L')),
        ...some('maintainer', fields.get('m')),
        ...some('homepage', fields.get('U')),
        list,
      },
    ];
  });
}

function some<K extends string>(name: K, value: string | undefined): { [key in K]?: string } {
  return value === undefined || value === '' ? {} : ({ [name]: value } as { [key in K]: string });
}
