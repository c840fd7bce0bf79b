import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders, type Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostSources } from '../../src/images/apt-sources.ts';
import { hostAddress, type World } from './world.ts';

const port = 3128;
const attempts = 4;

/** What builds are given as `http_proxy`: the machine's mirrors of packages, by the world's own address. */
export const packagesUrl = `http://${hostAddress}:${port}`;

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * The mirrors in the machine's apt sources, for worlds, which have no network of their own:
 *
 *     apt in a step --> 10.77.0.2:3128, a process in the world --> packages.sock --> this process --> the mirror
 *
 * What was fetched for one world is there for the next, so that both sides install the same.
 */
export class PackageMirror {
  readonly #hosts: Set<string>;
  readonly #answers = new Map<string, Promise<Answer>>();
  readonly #servers: Server[] = [];
  readonly #forwarders: ChildProcess[] = [];

  static async open(): Promise<PackageMirror> {
    return new PackageMirror(new Set((await hostSources()).map(({ uri }) => new URL(uri).host)));
  }

  private constructor(hosts: Set<string>) {
    this.#hosts = hosts;
  }

  async serve(world: World): Promise<void> {
    const socket = world.path('packages.sock');
    const server = createServer((request, response) => {
      this.#answer(request.url ?? '').then(
        ({ status, headers, body }) => response.writeHead(status, headers).end(body),
        error => response.writeHead(502).end(String(error)),
      );
    });
    this.#servers.push(server);
    await new Promise<void>(resolve => server.listen(socket, resolve));
    const forwarder = join(import.meta.dirname, 'forward-to-socket.ts');
    const argv = world.inside([process.execPath, forwarder, socket, hostAddress, String(port)]);
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#forwarders.push(child);
    const listens = once(child.stdout, 'data');
    const ended = once(child, 'exit').then(() => {
      throw new Error('nobody forwards to the mirrors of packages');
    });
    await Promise.race([listens, ended]);
    ended.catch(() => {});
  }

  async close(): Promise<void> {
    for (const forwarder of this.#forwarders) forwarder.kill();
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    }
  }

  #answer(url: string): Promise<Answer> {
    let answer = this.#answers.get(url);
    if (answer === undefined) {
      answer = this.#fetch(new URL(url));
      this.#answers.set(url, answer);
      answer.catch(() => this.#answers.delete(url));
    }
    return answer;
  }

  /** A line that breaks off is tried again. */
  async #fetch(url: URL): Promise<Answer> {
    if (!this.#hosts.has(url.host)) throw new Error(`${url.host} is no mirror of this machine`);
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await fetchOnce(url);
        if (answer.status < 500 || attempt === attempts) return answer;
      } catch (error) {
        if (attempt === attempts) throw error;
      }
      await sleep(attempt * 1000);
    }
  }
}

function fetchOnce(url: URL): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(url, response => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { 'content-type': type, 'last-modified': modified, location } = response.headers;
        const kept = Object.entries({ 'content-type': type, 'last-modified': modified, location });
        const headers = Object.fromEntries(kept.filter(([, value]) => value !== undefined));
        resolve({ status: response.statusCode ?? 502, headers, body: Buffer.concat(chunks) });
      });
    }).on('error', reject);
  });
}
