import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { basename, dirname, join } from 'node:path';

/**
 * A volume plugin by Docker's protocol whose volumes are directories. It is strict, so that what a daemon does wrong
 * is a failure: a volume must be made before it is mounted, and each mount is given back once, before it is removed.
 *
 *     node test/support/volume-plugin.ts /run/docker/plugins/shelf.sock /srv/shelf
 */
export async function startVolumePlugin(socket: string, directory: string): Promise<VolumePluginServer> {
  const plugin = new VolumePluginServer(directory);
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  await new Promise<void>(resolve => plugin.server.listen(socket, resolve));
  return plugin;
}

type Answer = Record<string, unknown>;

export class VolumePluginServer {
  readonly server: Server;
  /** Methods that were called, with the volume's name. */
  readonly calls: string[] = [];
  /** Ids of the users of each volume. */
  readonly mounts = new Map<string, Set<string>>();
  /** It does what it is asked for, and says something else. */
  garbled = false;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    this.server = createServer(async (request, response) => {
      const body = JSON.parse((await Array.fromAsync(request, String)).join('') || '{}');
      const method = basename(request.url ?? '');
      this.calls.push([method, body.Name].filter(Boolean).join(' '));
      const { status, answer } = this.#answer(method, body);
      response.writeHead(status, { 'content-type': 'application/vnd.docker.plugins.v1.1+json' });
      response.end(this.garbled ? '<html>' : JSON.stringify(answer));
    });
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  #answer(
    method: string,
    body: { Name: string; ID: string; Opts?: Answer },
  ): { status: number; answer: Answer } {
    try {
      return { status: 200, answer: { Err: '', ...this.#do(method, body) } };
    } catch (error) {
      return { status: 500, answer: { Err: (error as Error).message } };
    }
  }

  #do(method: string, { Name, ID, Opts }: { Name: string; ID: string; Opts?: Answer }): Answer {
    const path = join(this.#directory, String(Name));
    const users = this.mounts.get(Name) ?? new Set();
    const volume = () => ({
      Name,
      Mountpoint: path,
      CreatedAt: '2020-02-02T02:02:02Z',
      Status: { users: users.size },
    });
    const need = () => {
      if (!existsSync(path)) throw new Error(`no volume ${Name} on the shelf`);
    };
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['VolumeDriver'] };
      case 'VolumeDriver.Capabilities':
        return { Capabilities: { Scope: 'global' } };
      case 'VolumeDriver.Create':
        if (Opts?.['fail'] !== undefined) throw new Error(`asked to fail: ${Opts['fail']}`);
        mkdirSync(path, { recursive: true });
        return {};
      case 'VolumeDriver.Remove':
        need();
        if (users.size > 0) throw new Error(`${Name} is mounted`);
        rmSync(path, { recursive: true });
        return {};
      case 'VolumeDriver.Get':
        need();
        return { Volume: volume() };
      case 'VolumeDriver.List':
        return { Volumes: readdirSync(this.#directory).map(name => ({ Name: name, Mountpoint: '' })) };
      case 'VolumeDriver.Path':
        need();
        return { Mountpoint: path };
      case 'VolumeDriver.Mount':
        need();
        if (users.has(ID)) throw new Error(`${ID} has mounted ${Name} already`);
        this.mounts.set(Name, users.add(ID));
        return { Mountpoint: path };
      case 'VolumeDriver.Unmount':
        if (!users.delete(ID)) throw new Error(`${ID} has not mounted ${Name}`);
        return {};
      default:
        throw new Error(`unknown method ${method}`);
    }
  }
}

if (import.meta.main) await startVolumePlugin(process.argv[2]!, process.argv[3]!);
