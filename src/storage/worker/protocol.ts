import { EngineError, type ErrorKind, errnoOf, kindOf, messageOf } from '../../stdx/errors.ts';

/** A call to a worker and its answers. Every operation of `file-worker.ts` takes one value and returns one. */
export interface WorkerRequest {
  id: number;
  operation: string;
  argument: unknown;
}

export type WorkerResponse =
  | { id: number; result: unknown }
  | { id: number; error: PlainError }
  | { id: number; progress: number };

/** An error on its way through a message, which forgets classes. */
export interface PlainError {
  kind: ErrorKind;
  message: string;
  code?: string;
}

export function toPlainError(error: unknown): PlainError {
  return { kind: kindOf(error), message: messageOf(error), code: errnoOf(error) };
}

export function fromPlainError(plain: PlainError): EngineError {
  const error = new EngineError(plain.kind, plain.message);
  return plain.code === undefined ? error : Object.assign(error, { code: plain.code });
}
