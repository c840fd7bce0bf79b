import type { Header } from '../http2/hpack.ts';

/** Headers of a call that are the application's own, lower case; each may come several times. */
export type Metadata = ReadonlyMap<string, readonly string[]>;

/** Those headers that belong to HTTP/2 and gRPC. */
const transport = /^(:|(content-type|te|user-agent|grpc-.*|date)$)/;

export function metadataOf(headers: readonly Header[]): Metadata {
  const metadata = new Map<string, string[]>();
  for (const [name, value] of headers) {
    if (transport.test(name)) continue;
    const values = metadata.get(name);
    if (values === undefined) metadata.set(name, [value]);
    else values.push(value);
  }
  return metadata;
}

export function headersOf(metadata: Metadata): Header[] {
  return Array.from(metadata, ([name, values]) => values.map(value => [name, value] as const)).flat();
}
