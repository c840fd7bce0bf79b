import { type ErrorKind, kindOf } from '../stdx/errors.ts';

/** The one place where an error's kind becomes an HTTP status; the choices are dockerd's (api/server/httpstatus). */
const statuses: Record<ErrorKind, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  notModified: 304,
  notImplemented: 501,
  unavailable: 503,
  // Nobody reads it: the client is gone. nginx's number, so that logs can tell it from a fault.
  cancelled: 499,
  exhausted: 500,
  corrupt: 500,
  internal: 500,
};

export function statusOf(error: unknown): number {
  return statuses[kindOf(error)];
}
