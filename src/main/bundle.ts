import { type ExecFileSyncOptionsWithStringEncoding, execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * Bundles the client:
 *
 *     dist/client.cjs      everything, commands are initialised when they are called
 *     dist/yaml.cjs        the YAML parser, which Compose alone needs: a quarter of all the code
 *     dist/*.cjs.code      what V8 made of the functions that usual commands run
 *     dist/gantry.cjs      the entry: loads client.cjs with its code
 *
 * Node's own compile cache holds what is compiled when a file is loaded, which is next to nothing of it: functions are
 * compiled when they are called. Here the cache is made at the end of commands that were really run. Processor time
 * after Node's own start, beside that cache: `--version` 9 ms instead of 16, `compose up` with nothing to do 62 instead of 106.
 * All files are renamed into place, the entry last: its time says how fresh the bundle is.
 */
const root = join(import.meta.dirname, '../..');
const folder = join(root, 'dist');

/**
 * Node's own modules without `import`: that makes a facade with every export, and reading all exports of node:fs, for
 * one, loads fs/promises and streams as well.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    bundler.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }));
  },
};

const yamlApart: Plugin = {
  name: 'yaml apart',
  setup(bundler) {
    bundler.onResolve({ filter: /^yaml$/ }, () => ({ path: './yaml.cjs', external: true }));
  },
};

const emptyAnswers: Readonly<Record<string, string>> = {
  '/containers/json': '[]',
  '/networks': '[]',
  '/volumes': '{"Volumes": []}',
  '/images/busybox/json': '{"Id": "sha256:0"}',
  '/containers/create': '{"Id": "0", "Warnings": []}',
};

const usualProject = `name: usual
services:
  web:
    image: busybox
    command: ["sleep", "1"]
    environment: {A: "\${HOME:-none}", B: 'b'}
    ports: ["8080:80"]
    labels:
      - a=b
    volumes:
      - data:/data
      - ./conf:/conf:ro
    networks: [front, back]
    depends_on: [db]
    healthcheck: {test: "true", interval: 10s}
    restart: unless-stopped
  db: # text
    image: "busybox"
    deploy: {resources: {limits: {memory: 10M}}}
volumes: {data: }
networks:
  front:
  back: {internal: true}
`;

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

function place(name: string, text: string | Uint8Array): void {
  const aside = join(folder, `${name}.${process.pid}`);
  writeFileSync(aside, text);
  renameSync(aside, join(folder, name));
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const shape = {
  write: false,
  bundle: true,
  // Node's loader of ES modules costs 2 ms more.
  format: 'cjs',
  platform: 'node',
  target: 'node26',
  minify: true,
  legalComments: 'none',
} as const;
const yaml = await build({
  ...shape,
  stdin: { contents: "export * from 'yaml'", resolveDir: root },
  plugins: [builtins],
});
const { outputFiles } = await build({
  ...shape,
  entryPoints: [join(root, 'src/main/gantry.ts')],
  plugins: [builtins, yamlApart],
  define: { GANTRY_BUILD: JSON.stringify({ version, commit: commit(), builtAt: new Date().toUTCString() }) },
  logLevel: 'error',
});
mkdirSync(folder, { recursive: true });
// V8 knows a text by its length alone: code of another one must not lie beside it.
for (const name of ['client.cjs', 'yaml.cjs']) rmSync(join(folder, `${name}.code`), { force: true });
place('yaml.cjs', yaml.outputFiles[0]!.contents);
place('client.cjs', outputFiles[0]!.contents);
await writeCode();
place('gantry.cjs', loader(''));

/**
 * The program that runs the client.
 * @param more runs before it, and sees what was loaded in `scripts`
 */
function loader(more: string): string {
  return `const { readFileSync } = process.getBuiltinModule('node:fs');
const { Script } = process.getBuiltinModule('node:vm');
const scripts = new Map();
function code(file) {
  try {
    return readFileSync(file + '.code');
  } catch {}
}
function load(name) {
  const file = __dirname + '/' + name;
  const text = readFileSync(file, 'latin1');
  const script = new Script('(function(exports,require,module){' + text + '\\n})', { filename: file, cachedData: code(file) });
  scripts.set(name, script);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, other => (other === './yaml.cjs' ? load('yaml.cjs') : require(other)), module);
  return module.exports;
}
${more}load('client.cjs');
`;
}

/** Runs a few commands, each with the code that those before it left, beside an engine that has nothing. */
async function writeCode(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-bundle-'));
  place(
    'warm.cjs',
    loader(`process.on('exit', () => {
  const { renameSync, writeFileSync } = process.getBuiltinModule('node:fs');
  for (const [name, script] of scripts) {
    const file = __dirname + '/' + name + '.code';
    writeFileSync(file + '.' + process.pid, script.createCachedData());
    renameSync(file + '.' + process.pid, file);
  }
});
`),
  );
  const engine = createServer((incoming, answer) => {
    const path = (incoming.url ?? '').replace(/^\/v[\d.]+/, '');
    answer.setHeader('api-version', '1.50');
    answer.setHeader('content-type', 'application/json');
    answer.end(emptyAnswers[path.split('?')[0]!] ?? '{}');
  });
  const socket = join(scratch, 'engine.sock');
  await new Promise<void>(resolve => engine.listen(socket, resolve));
  try {
    writeFileSync(join(scratch, 'compose.yaml'), usualProject);
    for (const line of ['ps', 'compose config', 'compose up -d', 'compose down']) await run(line.split(' '));
  } finally {
    engine.close();
    engine.closeAllConnections();
    rmSync(scratch, { recursive: true, force: true });
    rmSync(join(folder, 'warm.cjs'), { force: true });
  }

  /** How a command ends does not matter. */
  function run(words: readonly string[]): Promise<void> {
    const env = { PATH: process.env['PATH'], HOME: scratch, DOCKER_HOST: `unix://${socket}` };
    // The flags of the program's own launcher: V8 takes no code that was made with others.
    const argv = ['--min-semi-space-size=16', '--', join(folder, 'warm.cjs'), ...words];
    return new Promise(resolve => {
      execFile(process.execPath, argv, { cwd: scratch, env, timeout: 60_000 }, () => resolve());
    });
  }
}
