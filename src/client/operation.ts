import type { Socket } from 'node:net';
import type { CallOptions, Client, QueryValue } from './client.ts';
import type { ChunkSink, HttpResponse } from './http-connection.ts';

/** Names in braces: `/containers/{id}/json` -> 'id'. */
type PathParameter<Path> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameter<Rest>
  : never;

/**
 * One operation of the Engine API as a value. The type parameters carry what goes in and comes out; at run time it is a
 * method and a path. `Query` names the query's parameters.
 */
export interface Operation<Path extends string, Answer, Body, Query extends string> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  path: Path;
  readonly types?: { answer: Answer; body: Body; query: Query };
}

// biome-ignore lint/suspicious/noExplicitAny: any operation at all
export type AnyOperation = Operation<any, any, any, any>;

export type Input<O extends AnyOperation> =
  O extends Operation<infer Path, unknown, infer Body, infer Query>
    ? Omit<CallOptions, 'query' | 'json'> & { query?: Partial<Record<Query, QueryValue>> } & ([
          PathParameter<Path>,
        ] extends [never]
          ? { path?: undefined }
          : { path: Record<PathParameter<Path>, string> }) &
        ([Body] extends [never] ? { json?: undefined } : { json?: Body | ((version: string) => Body) })
    : never;

export type Answer<O extends AnyOperation> =
  O extends Operation<string, infer A, infer _B, infer _Q> ? A : never;

/** Answers a JSON body. */
export async function perform<O extends AnyOperation>(
  client: Client,
  operation: O,
  input: Input<O>,
): Promise<Answer<O>> {
  return client.json(operation.method, expand(operation, input), input as CallOptions);
}

/** For operations that answer no body. @returns the status: 304 means it was so already */
export function act<O extends AnyOperation>(client: Client, operation: O, input: Input<O>): Promise<number> {
  return client.act(operation.method, expand(operation, input), input as CallOptions);
}

/** The response before its body is read. */
export function open<O extends AnyOperation>(
  client: Client,
  operation: O,
  input: Input<O>,
): Promise<HttpResponse> {
  return client.call(operation.method, expand(operation, input), input as CallOptions);
}

/** Every message of a stream of JSON lines, until it ends. */
export function follow<O extends AnyOperation>(
  client: Client,
  operation: O,
  input: Input<O>,
  onMessage: (message: Answer<O>) => void,
): Promise<void> {
  return client.jsonLines(operation.method, expand(operation, input), onMessage, input as CallOptions);
}

/** The body's bytes, until they end. */
export function download<O extends AnyOperation>(
  client: Client,
  operation: O,
  input: Input<O>,
  sink: ChunkSink,
): Promise<void> {
  return client.stream(operation.method, expand(operation, input), sink, input as CallOptions);
}

/** Takes the connection over. */
export function hijack<O extends AnyOperation>(
  client: Client,
  operation: O,
  input: Input<O>,
): Promise<{ socket: Socket; received: Buffer; contentType: string }> {
  return client.hijack(operation.method, expand(operation, input), input as CallOptions);
}

/** Filters as the API takes them: `{"status": ["running"]}`; undefined when there are none. */
export function encodeFilters(filters: ReadonlyMap<string, readonly string[]>): string | undefined {
  if (filters.size === 0) return undefined;
  const encoded: Record<string, Record<string, true>> = {};
  for (const [key, values] of filters) encoded[key] = Object.fromEntries(values.map(value => [value, true]));
  return JSON.stringify(encoded);
}

function expand<O extends AnyOperation>(operation: O, input: Input<O>): string {
  const parameters: Record<string, string> = (input as { path?: Record<string, string> }).path ?? {};
  return (operation.path as string).replace(/\{(\w+)\}/g, (_, name: string) => {
    // Image references keep their slashes: the daemon's routes take the rest of the path.
    return encodeURIComponent(parameters[name] ?? '')
      .replaceAll('%2F', '/')
      .replaceAll('%3A', ':')
      .replaceAll('%40', '@');
  });
}
