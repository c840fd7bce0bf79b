const saidByCrun = /^exec container process `(.+)`: Exec format error\s*$/;

/** What runc ends with when the kernel cannot run a program, and dockerd with it. */
const exitCode = 255;

/**
 * A program of another machine, which only the kernel recognises: the OCI runtime says so on the step's own output. crun
 * has words and an exit code of its own; people, and dockerd, know those of runc.
 */
export class ForeignProgram {
  #met = false;

  /** What is to be shown of an output. */
  shown(chunk: Buffer): Buffer {
    const program = chunk.length < 4096 ? saidByCrun.exec(chunk.toString('utf8'))?.[1] : undefined;
    if (program === undefined) return chunk;
    this.#met = true;
    return Buffer.from(`exec ${program}: exec format error\n`);
  }

  /** @param code that the runtime ended with */
  exitCode(code: number): number {
    return this.#met && code === 1 ? exitCode : code;
  }
}
