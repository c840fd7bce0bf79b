import { DockerfileError, type DockerfileSource, type LineRange } from './dockerfile/errors.ts';

/** A RUN ended with another code than 0; the classic client exits with that code. */
export class RunFailed extends DockerfileError {
  readonly args: readonly string[];
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number, source: DockerfileSource, lines: LineRange) {
    const message = `The command '${args.join(' ')}' returned a non-zero code: ${exitCode}`;
    super('invalid', message, source, lines);
    this.args = args;
    this.exitCode = exitCode;
  }
}
