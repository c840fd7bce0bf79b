import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Repositories behind git's own http server. */
export class GitServer {
  readonly url: string;
  readonly directory: string;
  /** Paths asked for, with what was said of who asks. */
  readonly requests: { path: string; authorization: string | undefined }[] = [];
  readonly #server: Server;

  static async start(): Promise<GitServer> {
    const directory = mkdtempSync(join(tmpdir(), 'gantry-git-'));
    const server = createServer();
    // A file of tests whose tests were all filtered out never closes it.
    server.unref();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const git = new GitServer(directory, server);
    server.on('request', (request, response) => git.#answer(request, response));
    return git;
  }

  private constructor(directory: string, server: Server) {
    this.directory = directory;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Makes `<name>.git`, or a further commit in it. @param prepare does more than writing files. @returns the commit */
  commit(
    name: string,
    files: Record<string, string>,
    prepare: (directory: string) => void = () => {},
  ): string {
    const directory = join(this.directory, `${name}.git`);
    if (!existsSync(directory)) {
      mkdirSync(directory);
      this.git(name, 'init', '--quiet', '--initial-branch=main');
    }
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    prepare(directory);
    this.git(name, 'add', '--all');
    this.git(name, 'commit', '--quiet', '--message=x');
    return this.git(name, 'rev-parse', 'HEAD').trim();
  }

  git(name: string, ...args: string[]): string {
    return execFileSync('/usr/bin/git', ['-c', 'protocol.file.allow=always', ...args], {
      cwd: join(this.directory, `${name}.git`),
      env: {
        ...{ PATH: process.env['PATH'], HOME: this.directory, GIT_CONFIG_NOSYSTEM: '1' },
        ...{
          GIT_AUTHOR_NAME: 'a',
          GIT_AUTHOR_EMAIL: 'a@b',
          GIT_COMMITTER_NAME: 'a',
          GIT_COMMITTER_EMAIL: 'a@b',
        },
      },
      encoding: 'utf8',
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    rmSync(this.directory, { recursive: true });
  }

  /** CGI (RFC 3875), as far as git's program needs it. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, search } = new URL(request.url!, this.url);
    this.requests.push({ path: pathname, authorization: request.headers.authorization });
    const child = spawn('/usr/lib/git-core/git-http-backend', {
      env: {
        GIT_PROJECT_ROOT: this.directory,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'],
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
        GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    // Who is told no does not listen to the end.
    child.stdin.on('error', () => {});
    request.pipe(child.stdin);
    const chunks: Buffer[] = [];
    child.stdout.on('data', chunk => chunks.push(chunk));
    child.on('close', () => {
      const answer = Buffer.concat(chunks);
      const end = answer.indexOf('\r\n\r\n');
      for (const line of answer.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n')) {
        const [name = '', value = ''] = line.split(/: (.*)/s);
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
        else if (name !== '') response.setHeader(name, value);
      }
      response.end(answer.subarray(end + 4));
    });
  }
}
