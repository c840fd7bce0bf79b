import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Builder, type BuilderOptions } from '../../src/build/builder.ts';
import { ClassicOutput } from '../../src/build/classic-output.ts';
import type { BuildEvent } from '../../src/build/events.ts';
import {
  type Executor,
  type ExecutorStep,
  type ExecutorTerminal,
  noLimits,
} from '../../src/build/executor.ts';
import type { BuildRequest } from '../../src/build/request.ts';
import { type Image, ImageStore } from '../../src/images/store.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { EngineError } from '../../src/stdx/errors.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { KeyedMutex } from '../../src/stdx/mutex.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';

/** A builder on a data-root of its own. RUN goes through unshare(1) and chroot(8); the base image is busybox. */
export class BuilderWorld {
  readonly storage: Storage;
  readonly images: ImageStore;
  readonly builder: Builder;
  readonly executor: ChrootExecutor;
  /** References that builds wanted pulled. */
  readonly pulls: string[];
  /** References that builds sent to registries. */
  readonly pushes: string[];
  /** What builds may be granted. */
  readonly grantable: string[];
  readonly directory: string;

  private constructor(
    parts: Pick<
      BuilderWorld,
      'storage' | 'images' | 'builder' | 'executor' | 'pulls' | 'pushes' | 'grantable' | 'directory'
    >,
  ) {
    this.storage = parts.storage;
    this.images = parts.images;
    this.builder = parts.builder;
    this.executor = parts.executor;
    this.pulls = parts.pulls;
    this.pushes = parts.pushes;
    this.grantable = parts.grantable;
    this.directory = parts.directory;
  }

  /** Instead of a registry, which there is none. */
  pull: BuilderOptions['pullImage'] = async reference => {
    throw new EngineError('notFound', `pull access denied for ${reference}`);
  };

  static async open(directory = mkdtempSync(join(tmpdir(), 'gantry-build-'))): Promise<BuilderWorld> {
    const [dataRoot, execRoot] = [join(directory, 'data'), join(directory, 'exec')];
    const storage = await openStorage({ dataRoot, execRoot, log: silentLog });
    const images = new ImageStore(storage, silentLog);
    const executor = new ChrootExecutor();
    const pulls: string[] = [];
    const pushes: string[] = [];
    const grantable = ['network.host', 'security.insecure'];
    const builder = await Builder.open({
      onTag: () => {},
      entitlements: grantable,
      gc: { enabled: false },
      packing: new KeyedMutex(),
      openRegistryCache: async reference => {
        throw new EngineError('notFound', `there is no registry for ${reference}`);
      },
      images,
      storage,
      executor,
      pullImage: async (reference, ...options) => {
        pulls.push(reference);
        await world.pull(reference, ...options);
      },
      pushImage: async reference => {
        pushes.push(reference);
        return { mediaType: '', digest: digestOf(reference), size: 0 };
      },
      directory: join(dataRoot, 'build'),
      platform: { os: 'linux', architecture: 'amd64' },
      git: '/usr/bin/git',
      proxyFor: () => undefined,
      proxyEnv: {},
      log: silentLog,
    });
    const world: BuilderWorld = new BuilderWorld({
      storage,
      images,
      builder,
      executor,
      pulls,
      pushes,
      grantable,
      directory,
    });
    return world;
  }

  async close(): Promise<void> {
    await this.storage.close();
    rmSync(this.directory, { recursive: true });
  }

  /** Makes `busybox:latest` with the builder itself. */
  async makeBase(request: Partial<BuildRequest> = {}): Promise<Image> {
    const dockerfile = [
      'FROM scratch',
      'COPY busybox /bin/busybox',
      'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
      'COPY <<passwd <<group /etc/',
      'root:x:0:0:root:/root:/bin/sh',
      'web:x:33:34:web:/home/web:/bin/sh',
      'passwd',
      'root:x:0:',
      'staff:x:50:',
      'group',
      'CMD ["sh"]',
    ];
    const { imageId } = await this.build(
      { busybox: '=> /usr/bin/busybox', Dockerfile: dockerfile.join('\n') },
      { ...request, tags: ['busybox'] },
    );
    return this.images.get(imageId)!;
  }

  /** @param files content by path; `-> x` makes a symbolic link, `=> x` copies an executable file of the host. */
  async build(
    files: Record<string, string>,
    request: Partial<BuildRequest> = {},
    options: { signal?: AbortSignal; prepare?: (context: string) => void } = {},
  ): Promise<Built> {
    const context = mkdtempSync(join(this.directory, 'context-'));
    const events: BuildEvent[] = [];
    let text = '';
    const classic = new ClassicOutput(line => (text += line.type === 'stream' ? line.text : ''));
    const output = {
      event(event: BuildEvent): void {
        events.push(event);
        classic.event(event);
      },
    };
    try {
      writeTree(context, files);
      options.prepare?.(context);
      const full = { ...emptyRequest, contextDirectory: context, ...request };
      const { imageId, answer } = await this.builder.build(
        full,
        output,
        options.signal ?? new AbortController().signal,
      );
      return { imageId, image: this.images.get(imageId)!, answer, text, events };
    } finally {
      rmSync(context, { recursive: true });
    }
  }

  /** Text of a file in an image, or undefined. */
  async read(imageId: Digest, path: string): Promise<string | undefined> {
    return this.#inside(imageId, async root => (await root.readFile(path))?.toString('utf8'));
  }

  /** `<permissions> <uid>:<gid> <type> <path>` of everything below a path. */
  async list(imageId: Digest, path: string): Promise<string[]> {
    return this.#inside(imageId, async root => {
      const entries = await root.list(path, { recursive: true });
      return entries.map(entry => {
        const link = entry.type === 'symlink' ? ` -> ${entry.linkTarget}` : '';
        return `${entry.permissions.toString(8)} ${entry.uid}:${entry.gid} ${entry.type} ${entry.path}${link}`;
      });
    });
  }

  async #inside<T>(
    imageId: Digest,
    work: (root: Awaited<ReturnType<Storage['confine']>>) => Promise<T>,
  ): Promise<T> {
    const { snapshots } = this.storage;
    const id = `look-${Math.random()}`;
    await snapshots.create(id, this.images.get(imageId)!.chainId, { mountPoints: false });
    try {
      const root = await this.storage.confine(snapshots.mount(id, { readOnly: true }));
      try {
        return await work(root);
      } finally {
        await root.close();
      }
    } finally {
      await snapshots.remove(id);
    }
  }
}

export interface Built {
  imageId: Digest;
  image: Image;
  answer: Record<string, string>;
  /** As dockerd's classic builder prints it. */
  text: string;
  events: BuildEvent[];
}

/** Which steps on files were taken from the cache: `RUN a: hit`. */
export function hitsOf(built: Built): string[] {
  return built.events.flatMap(event => {
    // Steps without a key only change the configuration.
    if (event.type !== 'stepCached' && event.type !== 'stepFinished') return [];
    if (event.result.key === undefined) return [];
    return [`${event.step.text}: ${event.type === 'stepCached' ? 'hit' : 'miss'}`];
  });
}

const emptyRequest: BuildRequest = {
  contextDirectory: '',
  dockerfile: '',
  contexts: {},
  noCacheStages: [],
  entitlements: ['network.host'],
  tags: [],
  buildArgs: {},
  labels: {},
  target: '',
  noCache: false,
  pull: false,
  cacheFrom: [],
  cacheTo: [],
  squash: false,
  networkMode: '',
  extraHosts: [],
  platform: '',
  limits: noLimits,
  credentials: {},
};

function writeTree(root: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), file);
    else if (content.startsWith('=> ')) {
      copyFileSync(content.slice(3), file);
      chmodSync(file, 0o755);
    } else writeFileSync(file, content);
  }
}

/** Runs a step in a mount and a pid namespace of its own, without a container runtime. */
class ChrootExecutor implements Executor {
  async converse(
    step: ExecutorStep,
    { input, output, started }: ExecutorTerminal,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    started(() => {});
    const write = (chunk: Buffer): void => void output.write(chunk);
    const args = ['/bin/sh', '-c', (await text(input)).trim(), ...step.args.slice(1)];
    return this.run({ ...step, args }, { stdout: write, stderr: write }, signal);
  }

  readonly steps: ExecutorStep[] = [];

  run(
    step: ExecutorStep,
    io: { stdout(chunk: Buffer): void; stderr(chunk: Buffer): void },
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    this.steps.push(step);
    const mounts = step.mounts.map(mount => {
      const target = `${step.rootfs}${mount.target}`;
      const make = `mkdir -p '${target}'`;
      if (mount.type === 'secret') {
        const value = mount.value.toString('base64');
        const [owner, mode] = [`${mount.uid}:${mount.gid}`, mount.permissions.toString(8)];
        const write = `echo ${value} | base64 -d > '${target}'; chown ${owner} '${target}'; chmod ${mode} '${target}'`;
        return `mkdir -p "$(dirname '${target}')"; : > '${target}'; mount -t tmpfs none /mnt; : > /mnt/f; mount --bind /mnt/f '${target}'; umount /mnt; ${write}`;
      }
      if (mount.type === 'agent')
        return `mkdir -p "$(dirname '${target}')"; : > '${target}'; mount --bind '${mount.socketPath}' '${target}'`;
      if (mount.type === 'tmpfs') return `${make}; mount -t tmpfs tmpfs '${target}'`;
      const readOnly = mount.readOnly ? `; mount -o remount,bind,ro '${target}'` : '';
      return `if [ -d '${mount.source}' ]; then ${make}; else touch '${target}'; fi; mount --bind '${mount.source}' '${target}'${readOnly}`;
    });
    const script = `set -e; ${mounts.join('; ') || ':'}; root=$1; shift; if [ -d "$root/proc" ]; then mount -t proc proc "$root/proc"; fi; exec env -i "$@"`;
    const inside =
      step.args[0] === '/bin/busybox'
        ? step.args
        : ['/bin/sh', '-c', `cd '${step.cwd}' && exec "$@"`, '--', ...step.args];
    const child = spawn(
      '/usr/bin/unshare',
      [
        ...[
          '-m',
          '-p',
          '-f',
          '--kill-child',
          '--propagation',
          'private',
          '/bin/sh',
          '-c',
          script,
          '--',
          step.rootfs,
        ],
        ...[...step.env, '/usr/sbin/chroot', step.rootfs, ...inside],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stdout.on('data', chunk => io.stdout(chunk));
    child.stderr.on('data', chunk => io.stderr(chunk));
    const kill = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', kill);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', code => {
        signal.removeEventListener('abort', kill);
        if (signal.aborted) reject(new EngineError('cancelled', 'killed'));
        else resolve({ exitCode: code ?? 137 });
      });
    });
  }
}
