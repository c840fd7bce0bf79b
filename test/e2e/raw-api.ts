import { request } from 'node:http';

export interface RawAnswer {
  status: number;
  text: string;
}

/** The daemon was killed before it had answered: what was asked has happened, or has not. */
export class Unanswered extends Error {}

/** One request on a socket of its own. A client program for each would cost more than what is tested. */
export class RawApi {
  /** How many requests were answered so far. */
  answered = 0;
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** @param body an object is sent as JSON. @throws Unanswered */
  ask(method: string, path: string, body?: object | Buffer): Promise<RawAnswer> {
    const socketPath = this.#socketPath;
    const bytes = Buffer.isBuffer(body);
    const payload = body === undefined || bytes ? body : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const lost = (error: Error) => reject(new Unanswered(error.message));
      const headers = {
        'Content-Type': bytes ? 'application/x-tar' : 'application/json',
        'Content-Length': payload?.length ?? 0,
      };
      const asked = request({ socketPath, method, path, headers, agent: false }, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', lost);
        response.on('aborted', () => lost(new Error('cut off')));
        response.on('end', () => {
          if (!response.complete) lost(new Error('cut off'));
          this.answered++;
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        });
      });
      asked.on('error', lost);
      asked.end(payload);
    });
  }

  /** Reads a stream until it ends or the daemon does. @returns what came, and whether it was brought to its end */
  stream(path: string): Promise<{ bytes: Buffer; whole: boolean }> {
    return new Promise(resolve => {
      const chunks: Buffer[] = [];
      const end = (whole: boolean) => resolve({ bytes: Buffer.concat(chunks), whole });
      const asked = request({ socketPath: this.#socketPath, path, agent: false }, response => {
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => end(false));
        response.on('close', () => end(response.complete));
      });
      asked.on('error', () => end(false));
      asked.end();
    });
  }

  /** @throws Error when the status is no success */
  async json<T>(path: string): Promise<T> {
    const { status, text } = await this.ask('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }
}
