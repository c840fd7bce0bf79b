import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { EngineError } from '../stdx/errors.ts';

/**
 * A program as a stream: what is written goes to its standard input, what it says comes out. The end comes only after
 * the program has exited with 0, so a cut archive is never taken for a whole one.
 */
export class ProgramStream extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  #complaint = '';

  /** @param path absolute. @param what names the data in errors. */
  constructor(path: string, args: readonly string[], what: string) {
    super();
    this.#child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'], env: {} });
    const { stdin, stdout, stderr } = this.#child;
    stderr.on('data', chunk => {
      this.#complaint = (this.#complaint + chunk).slice(0, 500);
    });
    stdout.on('data', chunk => {
      if (!this.push(chunk)) stdout.pause();
    });
    // A program that gives up closes its input; its exit code says why.
    stdin.on('error', () => {});
    this.#child.on('error', error => this.destroy(error));
    this.#child.on('close', code => {
      if (code === 0) this.push(null);
      else this.destroy(new EngineError('invalid', `invalid ${what} data: ${this.#complaint.trim()}`));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // An error here is the program's end, which the exit code explains.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }
}
