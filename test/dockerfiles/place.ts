import { spawn } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { join } from 'node:path';
import { busyboxArchive } from '../support/base-images.ts';
import { type Outcome, type ProgramOptions, runOrThrow } from '../support/run-program.ts';
import { hostAddress, type World } from '../support/world.ts';
import type { DockerfileCase } from './cases.ts';
import { failureText } from './failure-text.ts';
import { contentsOf, type FileTree, fileTree, imageText, type KnownContents } from './image-text.ts';

/** A daemon and a client that builds with it; both sides take the same flags. */
export interface BuildingSide {
  world: World;
  socket: string;
  /** `docker` or `gantry`, or the words that lead to it. */
  client: string[];
  run(argv: readonly string[], options?: ProgramOptions): Promise<Outcome>;
}

const casesDirectory = join(import.meta.dirname, 'cases');

/** Where cases are built by one side: private copies of their folders, the base image, a server for what ADD fetches. */
export class Place {
  readonly #side: BuildingSide;
  readonly #bases = new Map<string, FileTree>([['scratch', new Map()]]);
  #known: KnownContents = new Map();
  /** Folders that are ready to be built from, by every case that has them: builds only read them. */
  readonly #ready = new Map<string, Promise<string>>();

  static async open(side: BuildingSide): Promise<Place> {
    const place = new Place(side);
    const busybox = await place.load(await busyboxArchive(), 'busybox');
    place.#known = contentsOf(busybox);
    await serve(side.world);
    return place;
  }

  private constructor(side: BuildingSide) {
    this.#side = side;
  }

  /** A base image for cases to come. */
  async load(path: string, reference: string): Promise<FileTree> {
    const { world, client, socket } = this.#side;
    const archive = world.path('work', 'base.tar');
    cpSync(path, archive);
    const loaded = await this.#side.run([...client, 'load', '-i', archive], { timeoutMs: 120_000 });
    if (loaded.code !== 0) throw new Error(`loading ${reference}: ${loaded.stderr}`);
    const tree = await fileTree(await save(socket, reference));
    this.#bases.set(reference, tree);
    return tree;
  }

  /** Builds a case; the answer is what is compared: the image as text, or why there is none. */
  async build(name: string, chosen: DockerfileCase): Promise<string> {
    const directory = await this.#folder(name, chosen);
    const tag = tagOf(name);
    const args = [...(chosen.args ?? []), '-t', tag, chosen.context ?? '.'];
    const built = await this.#side.run([...this.#side.client, 'build', '--progress=plain', ...args], {
      cwd: directory,
      input: chosen.input,
      env: chosen.env,
      timeoutMs: chosen.timeoutMs ?? 180_000,
    });
    if (built.timedOut) throw new Error(`building ${name} takes too long:\n${built.stdout}${built.stderr}`);
    if (built.code !== 0) {
      if (chosen.fails) return failureText(built.stdout + built.stderr);
      throw new Error(`building ${name} failed:\n${built.stdout}${built.stderr}`);
    }
    if (chosen.fails) throw new Error(`building ${name} did not fail`);
    const saved = await save(this.#side.socket, `${tag}:latest`);
    return imageText(saved, { base: this.#bases.get(chosen.base ?? 'busybox')!, known: this.#known });
  }

  #folder(name: string, { folder = name, prepare }: DockerfileCase): Promise<string> {
    let ready = this.#ready.get(folder);
    if (ready === undefined) {
      ready = this.#lay(folder, prepare);
      this.#ready.set(folder, ready);
    }
    return ready;
  }

  async #lay(folder: string, prepare: string | undefined): Promise<string> {
    const directory = this.#side.world.path('work', folder);
    cpSync(join(casesDirectory, folder), directory, { recursive: true, verbatimSymlinks: true });
    await settle(directory, prepare);
    return directory;
  }
}

/** What the result of a case is called. */
export function tagOf(name: string): string {
  return `dockerfiles/${name.replace(/\W+/g, '-')}`;
}

/** git keeps neither owners nor times nor most permissions, so all that is not prepared is made the same. */
async function settle(directory: string, prepare: string | undefined): Promise<void> {
  const script = `
umask 022
chown -R -h 0:0 .
find . -type d -exec chmod 755 {} +
find . -type f -perm /100 -exec chmod 755 {} +
find . -type f ! -perm /100 -exec chmod 644 {} +
${prepare ?? ':'}
find . -exec touch -h -d @1700000123 {} +`;
  await runOrThrow(['sh', '-ec', script], { cwd: directory });
}

/** http://10.77.0.2:8000/ and git://10.77.0.2/ in the world, with the content of `served/`. */
async function serve(world: World): Promise<void> {
  const root = world.path('served');
  mkdirSync(root);
  await runOrThrow(['sh', '-ec', servedScript], { cwd: root, env: { ...process.env, ...gitIdentity } });
  const commands = [
    ['busybox', 'httpd', '-f', '-p', `${hostAddress}:8000`, '-h', root],
    ['git', 'daemon', '--export-all', `--base-path=${root}`, `--listen=${hostAddress}`],
  ];
  for (const command of commands) {
    const argv = world.inside(command);
    // It ends with the world.
    spawn(argv[0]!, argv.slice(1), { stdio: 'ignore' });
  }
}

const gitIdentity = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
  GIT_AUTHOR_DATE: '2023-11-14T22:15:23Z',
  GIT_COMMITTER_DATE: '2023-11-14T22:15:23Z',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
};

const servedScript = `
umask 022
mkdir -p tree/bin tree/empty
echo fetched > file.txt
echo inner > tree/inner.txt
printf '#!/bin/sh\\necho tool\\n' > tree/bin/tool
chmod 755 tree/bin/tool
ln -s inner.txt tree/link
find . -exec touch -h -d @1700000123 {} +
tar --sort=name --owner=7:7 --group=8:8 -C tree -cf archive.tar .
gzip -nk archive.tar
touch -d @1700000123 archive.tar archive.tar.gz
git init -q -b main work
cd work
printf 'FROM busybox\\nCOPY hello.txt sub/deep.txt /from-git/\\n' > Dockerfile
mkdir sub
echo hello > hello.txt
echo deep > sub/deep.txt
printf 'FROM busybox\\nCOPY . /sub\\n' > sub/Dockerfile
printf '#!/bin/sh\\n' > run.sh
chmod 755 run.sh
ln -s hello.txt link
git add .
git commit -q -m one
git tag v1
echo changed > hello.txt
git commit -q -a -m two
cd ..
git clone -q --bare work repository.git
git -C repository.git update-server-info
`;

function save(socketPath: string, reference: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: `/images/${encodeURIComponent(reference)}/get` }, response => {
      if (response.statusCode === 200) resolve(response);
      else reject(new Error(`saving ${reference}: ${response.statusCode}`));
    });
    asked.on('error', reject);
    asked.end();
  });
}
