import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { readTar } from '../archive/tar-reader.ts';
import { EngineError } from '../stdx/errors.ts';
import { type AptSource, type Distribution, hostSources, planSources } from './apt-sources.ts';
import { type BootstrappedRoot, defaultPath } from './bootstrap.ts';
import type { Progress } from './progress.ts';
import { tarStream } from './tar-stream.ts';

export interface DebianRootOptions {
  distribution: Distribution;
  /** `bookworm`, `bookworm-slim`, `noble`. */
  tag: string;
  /** Made, used and removed again. */
  directory: string;
  mirror: string | undefined;
  progress: Progress;
  signal: AbortSignal;
}

const programs = {
  mmdebstrap: { path: '/usr/bin/mmdebstrap', package: 'mmdebstrap' },
  aptConfig: { path: '/usr/bin/apt-config', package: 'apt' },
  aptHelper: { path: '/usr/lib/apt/apt-helper', package: 'apt' },
  unshare: { path: '/usr/bin/unshare', package: 'util-linux' },
  setpriv: { path: '/usr/bin/setpriv', package: 'util-linux' },
};

/**
 * A minimal Debian or Ubuntu by mmdebstrap, with what Debian's images on Docker Hub add to it. All of it runs in mount and
 * process namespaces of its own that end with this process, so nothing stays mounted or running when it is cut.
 */
export async function debianRoot(options: DebianRootOptions): Promise<BootstrappedRoot> {
  for (const program of Object.values(programs)) {
    if (existsSync(program.path)) continue;
    throw new EngineError(
      'notFound',
      `bootstrapping ${options.distribution}: there is no ${program.path}: install the package ${program.package} (apt-get install ${program.package})`,
    );
  }
  const { distribution, tag, directory, signal } = options;
  const slim = tag.endsWith('-slim');
  const suite = slim ? tag.slice(0, -'-slim'.length) : tag;
  const sources = planSources(distribution, suite, options.mirror, await hostSources());
  needKeyrings(sources);
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const close = () => rm(directory, { recursive: true, force: true });
  try {
    const createdMs = await releaseDate(sources, directory, signal);
    const aptOptions = await validityOptions(signal);
    const child = start(
      planArguments({ distribution, suite, slim }, sources, aptOptions),
      directory,
      createdMs,
    );
    const exit = followed(child, options);
    const tar = tarStream(async writer => {
      const mtimeNs = BigInt(createdMs) * 1_000_000n;
      for await (const { header, body } of readTar(child.stdout as Readable)) {
        const name = header.name.replace(/^\.\/(?=.)/, '');
        // Device nodes are the runtime's to make; the log of dates would make every run another image.
        if (/^(dev|proc|sys|var\/log|var\/lib\/apt\/lists|var\/cache\/(apt|ldconfig))\/./.test(name)) {
          if (header.type !== 'directory' || name.startsWith('dev/')) continue;
        }
        await writer.addStream(
          { ...header, name, mtimeNs: header.mtimeNs > mtimeNs ? mtimeNs : header.mtimeNs },
          body,
        );
      }
      await exit;
      for (const [name, { mode = 0o644, content }] of Object.entries(addedFiles(slim))) {
        await writer.add({ name, type: 'file', mode, mtimeNs }, content);
      }
    });
    return {
      tar,
      createdMs,
      config: { Cmd: [distribution === 'debian' ? 'bash' : '/bin/bash'], Env: [`PATH=${defaultPath}`] },
      madeBy: `mmdebstrap --variant=minbase ${suite}`,
      close: async () => {
        tar.destroy();
        child.kill('SIGKILL');
        // Its outcome was given to whoever read the tar.
        await exit.catch(() => {});
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Debian's keys are on every Debian; another distribution's are a package. */
function needKeyrings(sources: AptSource[]): void {
  for (const { line } of sources) {
    const keyring = /^deb \[signed-by=(\S+)\]/.exec(line)?.[1];
    if (keyring === undefined || existsSync(keyring)) continue;
    throw new EngineError(
      'notFound',
      `bootstrapping ubuntu: there is no ${keyring}: install the package ubuntu-keyring (apt-get install ubuntu-keyring)`,
    );
  }
}

/** What is left out of a slim image (debuerreotype, .slimify-excludes). */
const slimOptions = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/groff/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/linda/*',
  'path-exclude=/usr/share/lintian/*',
  'path-exclude=/usr/share/locale/*',
  'path-include=/usr/share/locale/locale.alias',
  'path-exclude=/usr/share/man/*',
];

/** From noble on, base-files brings the links from /bin to /usr/bin, and there is nothing to be done about them. */
const splitUbuntus = ['trusty', 'xenial', 'bionic', 'focal', 'jammy', 'kinetic', 'lunar', 'mantic'];

/** Suites whose apt takes usrmerge for usr-is-merged unless a hook helps, and with it all of Perl: 60 MB. */
function splitUsr(distribution: Distribution, suite: string): boolean {
  return distribution === 'debian' || splitUbuntus.includes(suite);
}

function planArguments(
  { distribution, suite, slim }: { distribution: Distribution; suite: string; slim: boolean },
  sources: AptSource[],
  aptOptions: readonly string[],
): string[] {
  return [
    '--variant=minbase',
    '--mode=root',
    '--format=tar',
    ...(splitUsr(distribution, suite) ? ['--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr'] : []),
    ...(slim ? slimOptions.map(option => `--dpkgopt=${option}`) : []),
    ...aptOptions.map(option => `--aptopt=${option}`),
    suite,
    '-',
    ...sources.map(source => source.line),
  ];
}

/** Debian's images on Docker Hub have these (debuerreotype, debuerreotype-minimizing-config). */
function addedFiles(slim: boolean): Record<string, { mode?: number; content: string }> {
  const clean =
    'rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true';
  return {
    'etc/apt/apt.conf.d/docker-autoremove-suggests': {
      content: 'Apt::AutoRemove::SuggestsImportant "false";\n',
    },
    'etc/apt/apt.conf.d/docker-clean': {
      content: `DPkg::Post-Invoke { "${clean}"; };\nAPT::Update::Post-Invoke { "${clean}"; };\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n`,
    },
    'etc/apt/apt.conf.d/docker-gzip-indexes': { content: 'Acquire::GzipIndexes "true";\n' },
    'etc/apt/apt.conf.d/docker-no-languages': { content: 'Acquire::Languages "none";\n' },
    'etc/dpkg/dpkg.cfg.d/docker-apt-speedup': { content: 'force-unsafe-io\n' },
    ...(slim
      ? { 'etc/dpkg/dpkg.cfg.d/docker': { content: slimOptions.map(option => `${option}\n`).join('') } }
      : {}),
    'usr/sbin/policy-rc.d': { mode: 0o755, content: '#!/bin/sh\nexit 101\n' },
  };
}

/**
 * setpriv has the kernel kill unshare when this process dies, and unshare does so with what it has started; the
 * first process of a PID namespace takes all others along.
 */
function start(args: string[], directory: string, createdMs: number): ChildProcess {
  const { setpriv, unshare, mmdebstrap } = programs;
  const wrapped = [
    '--pdeathsig',
    'KILL',
    unshare.path,
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
  return spawn(setpriv.path, [...wrapped, mmdebstrap.path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env: {
      PATH: defaultPath,
      TMPDIR: directory,
      LC_ALL: 'C.UTF-8',
      SOURCE_DATE_EPOCH: String(Math.floor(createdMs / 1000)),
    },
  });
}

/** Reports what mmdebstrap says, and settles with its exit. */
async function followed(
  child: ChildProcess,
  { distribution, progress, tag, signal }: DebianRootOptions,
): Promise<void> {
  const complaints: string[] = [];
  createInterface({ input: child.stderr as Readable }).on('line', line => {
    const match = /^([IWE]): (.*)$/.exec(line);
    if (match?.[1] === 'I') progress({ id: `${distribution}:${tag}`, status: match[2]! });
    else if (line.trim() !== '') complaints.push(match?.[2] ?? line);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  child.on('error', reject);
  child.on('close', code => {
    signal.removeEventListener('abort', kill);
    if (code === 0) resolve();
    else
      reject(
        new EngineError(
          'unavailable',
          `bootstrapping ${distribution}:${tag}: ${complaints.slice(-5).join('; ') || `mmdebstrap ended with ${code}`}`,
        ),
      );
  });
  promise.catch(() => {}); // Whoever reads the tar awaits it later.
  return promise;
}

/**
 * A host whose mirror is a snapshot has told apt not to mind that its lists have expired; that goes for packages of
 * other suites from there too, also inside of the image.
 */
async function validityOptions(signal: AbortSignal): Promise<string[]> {
  const names = ['Acquire::Check-Valid-Until', 'Acquire::Check-Date'];
  const words = names.flatMap((name, index) => [`V${index}`, name]);
  const { stdout } = await promisify(execFile)(programs.aptConfig.path, ['shell', ...words], {
    signal,
    env: { PATH: defaultPath, LC_ALL: 'C.UTF-8' },
  });
  return names.filter((_, index) => new RegExp(`^V${index}='(false|no|0)'$`, 'm').test(stdout)).map(off);
}

function off(option: string): string {
  return `${option} "false"`;
}

/** When the newest of the sources was made. Through apt, which knows the host's proxies. */
async function releaseDate(sources: AptSource[], directory: string, signal: AbortSignal): Promise<number> {
  let newestMs = 0;
  for (const [index, source] of sources.entries()) {
    const file = join(directory, `InRelease.${index}`);
    await download(`${source.uri.replace(/\/$/, '')}/dists/${source.suite}/InRelease`, file, signal);
    const date = /^Date: (.*)$/m.exec(await readFile(file, 'utf8'))?.[1];
    newestMs = Math.max(newestMs, Date.parse(date ?? '') || 0);
    await rm(file);
  }
  return newestMs;
}

async function download(url: string, file: string, signal: AbortSignal): Promise<void> {
  const child = spawn(programs.aptHelper.path, ['download-file', url, file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
    env: { PATH: defaultPath, LC_ALL: 'C.UTF-8' },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint = (complaint + chunk).slice(-500);
  });
  child.on('error', reject);
  child.on('close', resolve);
  const code = await promise;
  if (code === 0) return;
  throw new EngineError('unavailable', `bootstrapping: fetching ${url}: ${errorsOf(complaint)}`);
}

/** apt's own errors, without its warnings. */
function errorsOf(complaint: string): string {
  const errors = complaint.split('\n').filter(line => line.startsWith('E: '));
  return errors.length === 0 ? complaint.trim() : errors.map(line => line.slice(3)).join('; ');
}
