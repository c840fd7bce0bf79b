import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';

/** Where a plugin listens, as it was found on the host (volume-plugins.ts). */
export interface PluginAddress {
  name: string;
  /** `unix:///run/docker/plugins/x.sock`, `http://host:port`, `https://host:port` */
  url: string;
  tls?: { insecure: boolean; ca?: string; cert?: string; key?: string };
}

/** A volume as its plugin tells of it. */
export interface PluginVolume {
  name: string;
  /** '' while it is mounted nowhere, if the plugin says so. */
  mountpoint: string;
  createdAt?: string;
  status?: Record<string, unknown>;
}

/**
 * A volume driver that another process is: Docker's plugin protocol, JSON by POST.
 *
 *     /Plugin.Activate           -> {"Implements": ["VolumeDriver"]}; once
 *     /VolumeDriver.Create       {"Name", "Opts"}
 *     /VolumeDriver.Get          {"Name"}        -> {"Volume": {"Name", "Mountpoint", "CreatedAt", "Status"}}
 *     /VolumeDriver.List         {}              -> {"Volumes": [...]}
 *     /VolumeDriver.Remove       {"Name"}
 *     /VolumeDriver.Mount        {"Name", "ID"}  -> {"Mountpoint"}; one ID for each user, given back by Unmount
 *     /VolumeDriver.Unmount      {"Name", "ID"}
 *     /VolumeDriver.Capabilities {}              -> {"Capabilities": {"Scope": "local" | "global"}}
 *
 * Every answer may have `Err`, which is the failure when it is not empty, whatever the status.
 */
export class VolumePlugin {
  readonly name: string;
  readonly #address: PluginAddress;
  #activated: Promise<void> | undefined;
  #scope: 'local' | 'global' | undefined;

  constructor(address: PluginAddress) {
    this.name = address.name;
    this.#address = address;
  }

  async create(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    await this.#ask('VolumeDriver.Create', { Name: name, Opts: options });
  }

  async remove(name: string): Promise<void> {
    await this.#ask('VolumeDriver.Remove', { Name: name });
  }

  /** @returns the directory on the host */
  async mount(name: string, user: string): Promise<string> {
    const { Mountpoint } = await this.#ask('VolumeDriver.Mount', { Name: name, ID: user });
    if (typeof Mountpoint === 'string' && Mountpoint.startsWith('/')) return Mountpoint;
    throw new EngineError('internal', `VolumeDriver.Mount: no mountpoint for volume ${name}`);
  }

  async unmount(name: string, user: string): Promise<void> {
    await this.#ask('VolumeDriver.Unmount', { Name: name, ID: user });
  }

  /** undefined: the plugin does not know it. */
  async find(name: string): Promise<PluginVolume | undefined> {
    try {
      const { Volume } = await this.#ask('VolumeDriver.Get', { Name: name });
      return volumeOf(Volume);
    } catch (error) {
      // An error of the plugin's is all the protocol has for "no such volume".
      if (error instanceof PluginRefusal) return undefined;
      throw error;
    }
  }

  async list(): Promise<PluginVolume[]> {
    const { Volumes } = await this.#ask('VolumeDriver.List', {});
    return Array.isArray(Volumes) ? Volumes.flatMap(volume => volumeOf(volume) ?? []) : [];
  }

  async scope(): Promise<'local' | 'global'> {
    if (this.#scope !== undefined) return this.#scope;
    try {
      const { Capabilities } = await this.#ask('VolumeDriver.Capabilities', {});
      const scope = (Capabilities as { Scope?: unknown } | undefined)?.Scope;
      this.#scope = scope === 'global' ? 'global' : 'local';
    } catch (error) {
      // Optional in the protocol.
      if (!(error instanceof PluginRefusal)) throw error;
      this.#scope = 'local';
    }
    return this.#scope;
  }

  async #ask(method: string, body: object): Promise<Record<string, unknown>> {
    this.#activated ??= this.#activate();
    try {
      await this.#activated;
    } catch (error) {
      this.#activated = undefined;
      throw error;
    }
    return this.#post(method, body);
  }

  async #activate(): Promise<void> {
    const { Implements } = await this.#post('Plugin.Activate', {});
    if (Array.isArray(Implements) && Implements.includes('VolumeDriver')) return;
    throw new EngineError('notFound', `Plugin ${this.name} does not implement VolumeDriver`);
  }

  async #post(method: string, body: object): Promise<Record<string, unknown>> {
    const { status, text } = await this.#send(method, JSON.stringify(body));
    const answer = parse(text);
    const refused = typeof answer?.['Err'] === 'string' ? answer['Err'] : '';
    if (refused !== '') throw new PluginRefusal(`${method}: ${refused}`);
    if (status !== 200) throw new PluginRefusal(`${method}: ${text.trim() || `status ${status}`}`);
    if (answer !== undefined) return answer;
    // Whatever speaks there, it has not done what it was asked for.
    throw new EngineError('internal', `${method}: plugin "${this.name}": the answer is no JSON object`);
  }

  /** A plugin may be about to start, as at the host's start: it is waited for some seconds. */
  async #send(method: string, body: string): Promise<{ status: number; text: string }> {
    for (const delayMs of [250, 500, 1000, 2000, undefined]) {
      try {
        return await post(this.#address, `/${method}`, body);
      } catch (error) {
        if (delayMs === undefined || !notThere.has(errnoOf(error) ?? '')) {
          throw new EngineError('internal', `${method}: plugin "${this.name}": ${messageOf(error)}`, {
            cause: error,
          });
        }
        await sleep(delayMs);
      }
    }
    throw new Error('unreachable');
  }
}

/** The plugin answered, and what it said is a failure. */
export class PluginRefusal extends EngineError {
  constructor(message: string) {
    super('internal', message);
  }
}

const notThere = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET']);

/** Mounting what is on the other side of a network may take its time. */
const answerLimitMs = 120_000;

const answerLimitBytes = 16 << 20;

async function post(
  { url, tls }: PluginAddress,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  const secure = url.startsWith('https:');
  const { request } = await (secure ? import('node:https') : import('node:http'));
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = {
    'content-type': 'application/vnd.docker.plugins.v1.1+json',
    accept: 'application/vnd.docker.plugins.v1.1+json',
    'content-length': Buffer.byteLength(body),
  };
  const place = url.startsWith('unix://')
    ? { socketPath: url.slice('unix://'.length), path, host: 'plugin' }
    : {
        host: new URL(url).hostname.replace(/^\[|\]$/g, ''),
        port: new URL(url).port || (secure ? 443 : 80),
        path,
      };
  const trust = tls && { rejectUnauthorized: !tls.insecure, ca: tls.ca, cert: tls.cert, key: tls.key };
  const sent = request({ ...place, ...trust, method: 'POST', headers, agent: false }, answer => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerLimitBytes) sent.destroy(new Error('the answer is too long'));
      else chunks.push(chunk);
    });
    answer.once('end', () =>
      resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
    );
    answer.once('error', reject);
  });
  sent.setTimeout(answerLimitMs, () => sent.destroy(new Error('no answer')));
  sent.once('error', reject);
  sent.end(body);
  return promise;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function volumeOf(value: unknown): PluginVolume | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { Name, Mountpoint, CreatedAt, Status } = value as Record<string, unknown>;
  if (typeof Name !== 'string' || Name === '') return undefined;
  return {
    name: Name,
    mountpoint: typeof Mountpoint === 'string' ? Mountpoint : '',
    createdAt: typeof CreatedAt === 'string' && CreatedAt !== '' ? CreatedAt : undefined,
    status: typeof Status === 'object' && Status !== null ? (Status as Record<string, unknown>) : undefined,
  };
}
