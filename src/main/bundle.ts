import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { build, transform } from 'esbuild';
import { type Kind, kinds, runUsualCommands } from './warm-up.ts';

/**
 * Bundles the client:
 *
 *     dist/client/*.cjs     its parts: what several commands use together, and what one command uses alone
 *     dist/build.cjs, ...   for each kind of commands, the parts that usual ones of them use
 *     dist/build.code, ...  what V8 made of the functions that they run
 *     dist/gantry.cjs       the entry: loads the parts that the command line needs
 *     dist/walker.cjs       what a second thread runs
 *     dist/sources.sh       what all of this was made of, for the launcher, which compares times
 *
 * Node's own compile cache holds what is compiled when a file is loaded, which is next to nothing of it: functions are
 * compiled when they are called. Here the cache is made at the end of commands that were really run; what others
 * need is not in it, because taking it in costs time as well.
 * All files are renamed into place, the entry last: its time says how fresh the bundle is.
 */
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'dist');
// The flags of the program's own launcher: V8 takes no code that was made with others.
const nodeFlags = ['--min-semi-space-size=16', '--'];
/** Packages that few commands need: parts of their own, loaded when something of them is used. */
const libraries = ['yaml'];

function commit(): string {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    };
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim();
  } catch {
    // An unpacked release has no history.
    return 'unknown';
  }
}

function place(name: string, text: string): void {
  const aside = join(folder, `${name}.${process.pid}`);
  writeFileSync(aside, text);
  renameSync(aside, join(folder, name));
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const { parts, sources } = await makeParts();
refuseCircles();
mkdirSync(join(folder, 'client'), { recursive: true });
for (const [name, { text }] of parts) place(`client/${name}`, text);
// Clients that run may still load parts of the bundle before this.
const dayMs = 24 * 60 * 60 * 1000;
for (const name of readdirSync(join(folder, 'client'))) {
  const path = join(folder, 'client', name);
  if (Date.now() - statSync(path).mtimeMs > dayMs) rmSync(path);
}
for (const kind of kinds) await pack(kind);
await placeWalker();
place('sources.sh', `sources='${sources.join('\n')}'\n`);
place('gantry.cjs', loader(''));

interface Part {
  /** A function that takes what a CommonJS module does. */
  text: string;
  /** What it is the beginning of: the program itself, or what is imported when it is needed. */
  source: string | undefined;
  /** Parts that must be there first. */
  needs: string[];
}

async function makeParts(): Promise<{ parts: Map<string, Part>; sources: string[] }> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/main/gantry.ts'],
    outdir: 'dist',
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    external: libraries,
    minify: true,
    legalComments: 'none',
    outExtension: { '.js': '.cjs' },
    define: {
      GANTRY_BUILD: JSON.stringify({ version, commit: commit(), builtAt: new Date().toUTCString() }),
    },
    logLevel: 'error',
  });
  const made = outputFiles.map(async ({ path, text }) => {
    const { entryPoint, imports } = metafile.outputs[relative(root, path)]!;
    const needs = imports.filter(({ kind, external }) => kind === 'import-statement' && external !== true);
    const part = {
      text: await asFunction(text),
      source: entryPoint,
      needs: needs.map(({ path }) => basename(path)),
    };
    return [basename(path), part] as const;
  });
  const own = ['src/main/bundle.ts', 'src/main/warm-up.ts', 'src/cli/buildkit/walk-worker.ts'];
  const sources = Object.keys(metafile.inputs).filter(path => path.startsWith('src/'));
  const all = [...(await Promise.all(made)), ...(await Promise.all(libraries.map(makeLibrary)))];
  return { parts: new Map(all), sources: [...own, ...sources] };
}

async function makeLibrary(name: string): Promise<[string, Part]> {
  const text = `(function(exports,require,module){${await bundleAlone(name)}\n})`;
  return [`${name}.cjs`, { text, source: undefined, needs: [] }];
}

/** It has little in common with the rest, and starts sooner as one file. */
async function placeWalker(): Promise<void> {
  place('walker.cjs', await bundleAlone('src/cli/buildkit/walk-worker.ts'));
}

/** A module and all that it imports as one text of CommonJS. */
async function bundleAlone(entryPoint: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entryPoint],
    write: false,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node26',
    minify: true,
    legalComments: 'none',
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

/**
 * Node's loader of ES modules costs 2 ms more. What parts take from each other become variables: parts do not need each
 * other in circles, and nothing they export is assigned twice. As esbuild has it, each use would be two calls of getters.
 */
async function asFunction(module: string): Promise<string> {
  const linked = module
    .replaceAll(/\bimport\{([^{}]*)\}from"(\.\/[\w-]+\.cjs)";/g, (_, names: string, other: string) => {
      const taken = names.split(',').map(name => name.replace(' as ', ':'));
      return `var{${taken}}=require(${JSON.stringify(other)});`;
    })
    .replaceAll(/\bimport("\.\/[\w-]+\.cjs");/g, 'require($1);')
    .replace(/\bexport\{([^{}]*)\};\s*$/, (_, names: string) => {
      const given = names.split(',').map(name => name.split(' as ').reverse().join(':'));
      return `module.exports={${given}};`;
    });
  const { code } = await transform(linked, {
    format: 'cjs',
    platform: 'node',
    target: 'node26',
    supported: { 'dynamic-import': false },
    minify: true,
  });
  return `(function(exports,require,module){${code}\n})`;
}

/** Puts the parts that usual commands of a kind need into one file, and the code of the functions they run beside it. */
async function pack({ name: kind, sources, commands }: Kind): Promise<void> {
  // V8 knows a text by its length alone: code of another one must not lie beside it.
  rmSync(join(folder, `${kind}.code`), { force: true });
  const entries = Array.from(partsOf(sources), name => `${JSON.stringify(name)}:${parts.get(name)!.text}`);
  place(`${kind}.cjs`, `({${entries.join(',\n')}})`);
  const keep = `process.on('exit', () => {
  const { renameSync, writeFileSync } = process.getBuiltinModule('node:fs');
  const file = __dirname + '/${kind}.code';
  writeFileSync(file + '.' + process.pid, packed.createCachedData());
  renameSync(file + '.' + process.pid, file);
});
`;
  place('warm.cjs', loader(keep));
  await runUsualCommands([process.execPath, ...nodeFlags, join(folder, 'warm.cjs')], commands);
  rmSync(join(folder, 'warm.cjs'));
}

/** In a circle, what is taken as a variable would be taken before it is there. */
function refuseCircles(): void {
  const settled = new Set<string>();
  const settle = (name: string, above: readonly string[]) => {
    const path = [...above, name];
    if (above.includes(name)) throw new Error(`parts of the client need each other: ${path.join(', ')}`);
    if (settled.has(name)) return;
    for (const needed of parts.get(name)!.needs) settle(needed, path);
    settled.add(name);
  };
  for (const name of parts.keys()) settle(name, []);
}

/** Those that the program and some of its sources are made of, without what is loaded later. */
function partsOf(sources: readonly string[]): Set<string> {
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const needed of parts.get(name)!.needs) add(needed);
  };
  for (const source of ['src/main/gantry.ts', ...sources]) {
    const [name] = Array.from(parts).find(([, part]) => part.source === source) ?? [];
    if (name === undefined) throw new Error(`${source} is not loaded by the client`);
    add(name);
  }
  return found;
}

/**
 * The program that runs the client. Its `require` gives Node's own modules as they are: an `import` of one would make a
 * facade with every export, and reading all exports of node:fs, for one, loads fs/promises and streams as well. All
 * but those that Node has loaded anyway, and libraries, are loaded when something of them is used for the first time.
 * @param more runs before it, and sees the kind's parts as `packed`
 */
function loader(more: string): string {
  return `const { readFileSync } = process.getBuiltinModule('node:fs');
const { Script } = process.getBuiltinModule('node:vm');
const kinds = ${JSON.stringify(kinds.map(({ name, words }) => [name, words]))};
const [kind] = kinds.find(([, words]) => words.every(word => process.argv.includes(word)));
function read(name, encoding) {
  try {
    return readFileSync(__dirname + '/' + name, encoding);
  } catch {}
}
function compile(name, cachedData) {
  const text = read(name, 'latin1');
  return text === undefined ? undefined : new Script(text, { filename: __dirname + '/' + name, cachedData });
}
const packed = compile(kind + '.cjs', read(kind + '.code'));
const parts = packed?.runInThisContext() ?? {};
const loaded = new Map();
function load(name) {
  let module = loaded.get(name);
  if (module === undefined) {
    loaded.set(name, (module = { exports: {} }));
    const run = parts[name] ?? compile('client/' + name).runInThisContext();
    run(module.exports, other => (other.startsWith('./') ? load(other.slice(2)) : whenUsed(other)), module);
  }
  return module.exports;
}
function whenUsed(name) {
  if (name === 'node:fs' || name === 'node:path') return process.getBuiltinModule(name);
  let loaded;
  return new Proxy({}, { get: (_, key) => (loaded ??= process.getBuiltinModule(name) ?? load(name + '.cjs'))[key] });
}
${more}load('gantry.cjs');
`;
}
