import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, isIP } from 'node:net';
import { dirname } from 'node:path';
import { EngineError, errnoOf, messageOf, within } from '../stdx/errors.ts';

/** Where to listen: `unix:///run/gantry/gantry.sock`, `tcp://127.0.0.1:2375`. */
export type Host = { kind: 'unix'; path: string } | { kind: 'tcp'; address: string; port: number };

/** Docker's port for tcp without and with TLS. */
const plainPort = 2375;
const tlsPort = 2376;

/**
 * @param tls chooses the default port
 * @throws EngineError `invalid`, `notImplemented` (fd://)
 */
export function parseHost(text: string, tls: boolean): Host {
  const match = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text.trim())!;
  const [, scheme = 'tcp', rest = ''] = match;
  if (scheme === 'unix') return { kind: 'unix', path: rest === '' ? '/run/gantry/gantry.sock' : rest };
  if (scheme === 'fd') {
    throw new EngineError('notImplemented', `host "${text}": sockets of systemd (fd://) are not supported`);
  }
  if (scheme !== 'tcp') throw new EngineError('invalid', `invalid bind address format: ${text}`);
  return { kind: 'tcp', ...parseTcp(text, rest, tls) };
}

function parseTcp(text: string, rest: string, tls: boolean): { address: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:/]*)(?::(\d*))?\/?$/.exec(rest);
  if (match === null) throw new EngineError('invalid', `invalid bind address format: ${text}`);
  const address = (match[1] || '127.0.0.1').replace(/^\[|\]$/g, '');
  const port = match[2] === undefined || match[2] === '' ? (tls ? tlsPort : plainPort) : Number(match[2]);
  if (port > 65535)
    throw new EngineError('invalid', `invalid bind address (${text}): port ${port} is too large`);
  return { address, port };
}

/** Whether only this machine can reach the address. A name may mean anything, but for localhost. */
export function isLoopbackHost(host: Host): boolean {
  if (host.kind === 'unix') return true;
  if (host.address === 'localhost' || host.address === '::1') return true;
  return isIP(host.address) === 4 && host.address.startsWith('127.');
}

/**
 * Starts listening; settles when connections are taken.
 *
 * A unix socket may be used by its owner and group alone (0660), the group being `docker` (or the one given) where
 * there is one. The socket a killed daemon left behind is replaced, one that still answers is not.
 *
 * @throws EngineError `conflict` when somebody else listens there
 */
export async function listen(server: Server, host: Host, options: { group?: string } = {}): Promise<void> {
  try {
    if (host.kind === 'tcp') await listening(server, () => server.listen(host.port, host.address));
    else await listenOnPath(server, host.path, options.group ?? 'docker');
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE') {
      throw new EngineError('conflict', `listening on ${hostText(host)}: address already in use`, {
        cause: error,
      });
    }
    throw within(`listening on ${hostText(host)}`, error);
  }
}

export function hostText(host: Host): string {
  if (host.kind === 'unix') return `unix://${host.path}`;
  return host.address.includes(':')
    ? `tcp://[${host.address}]:${host.port}`
    : `tcp://${host.address}:${host.port}`;
}

async function listenOnPath(server: Server, path: string, group: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await removeStaleSocket(path);
  // The socket file must not be open to everybody for the moment between bind and chmod.
  const umask = process.umask(0o177);
  try {
    await listening(
      server,
      () => server.listen(path),
      () => process.umask(umask),
    );
  } finally {
    process.umask(umask);
  }
  const gid = gidOf(group);
  if (gid !== undefined) chownSync(path, 0, gid);
  chmodSync(path, 0o660);
}

/** @param bound called when listen() has returned: node binds unix sockets before that. */
function listening(server: Server, start: () => void, bound?: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start();
    bound?.();
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  if (!lstatSync(path).isSocket()) throw new EngineError('conflict', `${path} exists and is no socket`);
  if (await answers(path)) {
    throw new EngineError(
      'conflict',
      `another daemon listens on ${path}: stop it or choose another host with -H`,
    );
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** From /etc/group; a number is taken as it is. */
function gidOf(group: string): number | undefined {
  if (/^\d+$/.test(group)) return Number(group);
  let text: string;
  try {
    text = readFileSync('/etc/group', 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new EngineError('internal', `reading /etc/group: ${messageOf(error)}`, { cause: error });
  }
  const line = text.split('\n').find(entry => entry.startsWith(`${group}:`));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
