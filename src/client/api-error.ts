import { EngineError, type ErrorKind } from '../stdx/errors.ts';

/** The daemon answered, and the answer is no. The message is the daemon's own. */
export class ApiError extends EngineError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(kindOfStatus(status), message);
    this.status = status;
  }
}

function kindOfStatus(status: number): ErrorKind {
  switch (status) {
    case 304:
      return 'notModified';
    case 400:
      return 'invalid';
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'notFound';
    case 409:
      return 'conflict';
    case 501:
      return 'notImplemented';
    case 503:
      return 'unavailable';
    default:
      return 'internal';
  }
}
