import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import type { TarHeaderInit } from '../archive/tar-writer.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { type BootstrappedRoot, defaultPath } from './bootstrap.ts';
import { tarStream } from './tar-stream.ts';

const program = '/bin/busybox';

/** An image of busybox-static alone: the program, a link for each of its applets, and the few files a libc wants. */
export async function busyboxRoot(): Promise<BootstrappedRoot> {
  const { bytes, mtimeMs } = await readProgram();
  const { stdout } = await promisify(execFile)(program, ['--list-full'], { env: {} });
  const mtimeNs = BigInt(Math.floor(mtimeMs / 1000)) * 1_000_000_000n;
  const entries = planRoot(stdout.split('\n').filter(path => path !== ''));
  const tar = tarStream(async writer => {
    for (const { content, ...header } of entries) await writer.add({ ...header, mtimeNs }, content);
    await writer.add({ name: 'bin/busybox', type: 'file', mode: 0o755, mtimeNs }, bytes);
  });
  return {
    tar,
    createdMs: Math.floor(mtimeMs / 1000) * 1000,
    config: { Cmd: ['sh'], Env: [`PATH=${defaultPath}`] },
    madeBy: 'busybox-static',
    close: async () => {
      tar.destroy();
    },
  };
}

type PlannedEntry = TarHeaderInit & { content?: string };

/**
 * @param applets as `busybox --list-full` prints them: `bin/ls`, `usr/bin/awk`. Each is found there, and in /bin as in
 * the image of that name on Docker Hub.
 */
export function planRoot(applets: readonly string[]): PlannedEntry[] {
  const directories = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sbin', 'sys', 'tmp', 'usr'];
  directories.push('usr/bin', 'usr/sbin', 'usr/local', 'usr/local/bin', 'usr/local/sbin');
  directories.push('var', 'var/spool', 'var/spool/mail', 'var/www');
  const links = new Map<string, string>();
  for (const applet of applets) {
    const name = posix.basename(applet);
    if (name === 'busybox' || name === 'linuxrc') continue;
    links.set(`bin/${name}`, 'busybox');
    const directory = posix.dirname(applet);
    if (directories.includes(directory) && directory !== 'bin') {
      links.set(applet, posix.relative(directory, 'bin/busybox'));
    }
  }
  return [
    ...directories.map(name => ({ name, type: 'directory' as const, mode: modeOf(name) })),
    ...Object.entries(files).map(([name, content]) => ({
      name,
      type: 'file' as const,
      mode: name === 'etc/shadow' ? 0o640 : 0o644,
      content,
    })),
    ...[...links]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, linkName]) => ({ name, type: 'symlink' as const, linkName })),
  ];
}

function modeOf(directory: string): number {
  if (directory === 'root') return 0o700;
  return directory === 'tmp' || directory === 'var/spool/mail' ? 0o1777 : 0o755;
}

/** The users and groups of buildroot, which the image on Docker Hub has too. */
const users = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'bin:x:2:2:bin:/bin:/bin/false',
  'sys:x:3:3:sys:/dev:/bin/false',
  'sync:x:4:100:sync:/bin:/bin/sync',
  'mail:x:8:8:mail:/var/spool/mail:/bin/false',
  'www-data:x:33:33:www-data:/var/www:/bin/false',
  'operator:x:37:37:Operator:/var:/bin/false',
  'nobody:x:65534:65534:nobody:/home:/bin/false',
];

const groups = [
  'root:x:0:',
  'daemon:x:1:',
  'bin:x:2:',
  'sys:x:3:',
  'adm:x:4:',
  'tty:x:5:',
  'disk:x:6:',
  'mail:x:8:',
  'wheel:x:10:root',
  'www-data:x:33:',
  'operator:x:37:',
  'users:x:100:',
  'nobody:x:65534:',
];

const files: Readonly<Record<string, string>> = {
  'etc/group': lines(groups),
  'etc/nsswitch.conf': 'hosts: files dns\n',
  'etc/passwd': lines(users),
  'etc/shadow': lines(users.map(user => `${user.split(':')[0]}:*:::::::`)),
};

function lines(texts: readonly string[]): string {
  return texts.map(text => `${text}\n`).join('');
}

async function readProgram(): Promise<{ bytes: Buffer; mtimeMs: number }> {
  try {
    const bytes = await readFile(program);
    if (needsInterpreter(bytes)) throw missing(`${program} needs libraries that the image would not have`);
    return { bytes, mtimeMs: (await stat(program)).mtimeMs };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw missing(`there is no ${program}`);
    throw error;
  }
}

function missing(reason: string): EngineError {
  return new EngineError(
    'notFound',
    `bootstrapping busybox: ${reason}: install the package busybox-static (apt-get install busybox-static)`,
  );
}

/**
 * Whether an ELF file is dynamically linked, by its program headers (elf.h):
 *
 *     64 bits: 32 e_phoff[8]  54 e_phentsize[2]  56 e_phnum[2];  32 bits: 28 e_phoff[4]  42 e_phentsize[2]  44 e_phnum[2]
 *     each begins with p_type[4]; PT_INTERP is 3
 */
export function needsInterpreter(elf: Buffer): boolean {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46) return false;
  const wide = elf[4] === 2;
  const offset = wide ? Number(elf.readBigUInt64LE(32)) : elf.readUInt32LE(28);
  const size = elf.readUInt16LE(wide ? 54 : 42);
  const count = elf.readUInt16LE(wide ? 56 : 44);
  for (let index = 0; index < count; index++) {
    const at = offset + index * size;
    if (at + 4 <= elf.length && elf.readUInt32LE(at) === 3) return true;
  }
  return false;
}
