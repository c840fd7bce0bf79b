import type { Fields, MessageType } from '../protobuf.ts';

/** A method of a gRPC service: where it is, and what goes each way, once or as a stream. */
export interface Method<Request extends Fields, Response extends Fields> {
  /** `/moby.buildkit.v1.Control/Solve` */
  path: string;
  request: MessageType<Request>;
  response: MessageType<Response>;
}

// biome-ignore lint/suspicious/noExplicitAny: of whatever fields
type AnyType = MessageType<any>;

type MethodsOf<Table> = {
  [Name in keyof Table]: Table[Name] extends readonly [string, MessageType<infer In>, MessageType<infer Out>]
    ? Method<In, Out>
    : never;
};

/** @param table names here, and for each the method's own name, what is asked and what is answered */
export function service<const Table extends Record<string, readonly [string, AnyType, AnyType]>>(
  name: string,
  table: Table,
): MethodsOf<Table> {
  const methods = Object.entries(table).map(([key, [method, request, response]]) => [
    key,
    { path: `/${name}/${method}`, request, response },
  ]);
  return Object.fromEntries(methods) as MethodsOf<Table>;
}
