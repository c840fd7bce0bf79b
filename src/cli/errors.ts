import { EngineError } from '../stdx/errors.ts';

/** The command line itself is wrong: shown with the command's usage. */
export class UsageError extends EngineError {
  constructor(message: string) {
    super('invalid', message);
  }
}

/**
 * Ends the program with this status. The message, if any, goes to stderr as it is; a command whose every failure was
 * already told ends with an empty one.
 */
export class ExitError extends EngineError {
  readonly exitCode: number;

  constructor(exitCode: number, message = '') {
    super('internal', message);
    this.exitCode = exitCode;
  }
}
