import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';

const repository = join(import.meta.dirname, '..');

/** Who may import whom: room -> rooms below it. A new room is a line here first, and in ARCHITECTURE.md. */
const mayImport: Record<string, readonly string[]> = {
  stdx: [],
  oci: ['stdx'],
  archive: ['stdx'],
  linux: ['stdx'],
  storage: ['linux', 'archive', 'oci', 'stdx'],
  distribution: ['oci', 'stdx'],
  images: ['distribution', 'storage', 'archive', 'oci', 'stdx'],
  runtime: ['linux', 'oci', 'stdx'],
  network: ['linux', 'stdx', 'storage/database.ts'],
  build: ['images', 'storage', 'archive', 'oci', 'stdx'],
  engine: ['images', 'build', 'network', 'storage', 'runtime', 'oci', 'stdx', 'distribution'],
  api: [],
  server: ['engine', 'api', 'stdx'],
  client: ['api', 'stdx'],
  // `cp` and build contexts are tar archives, the latter with Docker's rules of what is left out.
  cli: ['compose', 'client', 'api', 'archive', 'build/patterns/ignore.ts', 'stdx'],
  // Configs and secrets are written into containers as tar archives.
  compose: ['client', 'api', 'archive', 'stdx'],
  main: ['*'],
};

/** Rooms whose values are out of reach but whose types may be named: they turn them into wire types. */
const mayImportTypes: Record<string, readonly string[]> = {
  server: ['images', 'build', 'network', 'storage', 'runtime', 'oci', 'distribution'],
};

/** Packages that one room alone may import. */
const packageOwners: Record<string, string> = { koffi: 'linux' };

const forbiddenNames =
  /^(index|utils?|helpers?|common|managers?|misc|shared)$|[-.](utils?|helpers?|manager)$/;

interface Import {
  file: string;
  specifier: string;
  typeOnly: boolean;
}

describe('architecture', () => {
  const files = trackedFiles();
  const sources = files.filter(file => file.startsWith('src/') && file.endsWith('.ts'));
  const imports = sources.flatMap(importsOf);

  test('rooms import only the rooms below them', () => {
    const wrong = imports
      .filter(one => one.specifier.startsWith('.'))
      .map(trespass)
      .filter(Boolean);
    assert.deepEqual(wrong, []);
  });

  test('every folder in src is in the import table', () => {
    const rooms = new Set(sources.map(roomOf));
    assert.deepEqual(
      [...rooms].filter(room => !(room in mayImport)),
      [],
    );
  });

  test('packages are declared, and each stays in the room that owns it', () => {
    const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as Record<
      string,
      object
    >;
    const runtime = Object.keys(manifest['dependencies'] ?? {});
    const development = Object.keys(manifest['devDependencies'] ?? {});
    const wrong = imports.flatMap(({ file, specifier, typeOnly }) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return [];
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const owner = packageOwners[name];
      if (owner && roomOf(file) !== owner) return [`${file}: only ${owner} imports ${name}`];
      const known =
        runtime.includes(name) ||
        ((typeOnly || isTest(file) || roomOf(file) === 'main') && development.includes(name));
      return known
        ? []
        : [`${file}: ${specifier} is not a dependency (Node's own modules are written node:${specifier})`];
    });
    assert.deepEqual(wrong, []);
  });

  test('relative imports name the file with its ending', () => {
    const wrong = imports.filter(
      ({ specifier }) => specifier.startsWith('.') && !/\.(ts|json)$/.test(specifier),
    );
    assert.deepEqual(
      wrong.map(({ file, specifier }) => `${file}: ${specifier}`),
      [],
    );
  });

  test('files are named for what they hold', () => {
    const code = files.filter(file => /^(src|test)\//.test(file) && file.endsWith('.ts'));
    const wrong = code.filter(file => {
      const parts = [...dirname(file).split('/').slice(1), basename(file).replace(/(\.test)?\.ts$/, '')];
      return parts.some(part => forbiddenNames.test(part));
    });
    assert.deepEqual(wrong, []);
    assert.deepEqual(
      code.filter(file => !/^[a-z0-9.-]+$/.test(basename(file))),
      [],
      'file names are lower case with hyphens',
    );
  });

  test('there are no default exports and no re-exports of whole files', () => {
    const wrong = sources.filter(file => /^export (default\b|\* )/m.test(read(file)));
    assert.deepEqual(wrong, []);
  });

  test('nothing depends on where this clone lies', () => {
    const text = files.filter(file => !/\.(png|ico|tar|gz|zst|bin|wasm)$/.test(file));
    assert.deepEqual(
      text.filter(file => read(file).includes(`${repository}/`)),
      [],
    );
  });

  test('work is not left for later in comments', () => {
    const marks = new RegExp(`//.*\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);
    assert.deepEqual(
      sources.filter(file => marks.test(read(file))),
      [],
    );
  });
});

/** Says what is wrong with one relative import, or nothing. */
function trespass({ file, specifier, typeOnly }: Import): string | undefined {
  const from = roomOf(file);
  const target = relative(repository, join(repository, dirname(file), specifier));
  if (!target.startsWith('src/')) {
    const fixture = isTest(file) && target.startsWith('test/');
    const manifest = target === 'package.json';
    return fixture || manifest ? undefined : `${file}: imports ${target}, outside src`;
  }
  const to = roomOf(target);
  if (from === to) return undefined;
  const allowed = [...(mayImport[from] ?? []), ...(typeOnly ? (mayImportTypes[from] ?? []) : [])];
  const inside = target.slice('src/'.length);
  if (allowed.includes('*') || allowed.includes(to) || allowed.includes(inside)) return undefined;
  return `${file}: ${from} may not import ${typeOnly ? 'types of ' : ''}${inside}`;
}

function importsOf(file: string): Import[] {
  const code = read(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const statements = /^\s*(?:import|export)\s+(type\s)?(?:[\w*{][^'";]*?from\s+)?['"]([^'"]+)['"]/gm;
  const dynamic = /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;
  return [
    ...[...code.matchAll(statements)].map(match => ({
      file,
      specifier: match[2]!,
      typeOnly: Boolean(match[1]),
    })),
    ...[...code.matchAll(dynamic)].map(match => ({ file, specifier: match[1]!, typeOnly: false })),
  ];
}

function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: repository,
  });
  return listed
    .toString()
    .split('\n')
    .filter(file => file && existsSync(join(repository, file)));
}

function roomOf(file: string): string {
  return file.split('/')[1]!;
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts');
}

function read(file: string): string {
  return readFileSync(join(repository, file), 'utf8');
}
