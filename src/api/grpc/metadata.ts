/** Headers of a call that are the application's own, lower case; each may come several times. */
export type Metadata = ReadonlyMap<string, readonly string[]>;

/** Those headers that belong to HTTP/2 and gRPC. */
const transport = /^(:|(content-type|te|user-agent|grpc-.*|date)$)/;

/** @param rawHeaders names and values in turn, as node:http2 gives them */
export function metadataOf(rawHeaders: readonly string[]): Metadata {
  const metadata = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (transport.test(name)) continue;
    const values = metadata.get(name);
    if (values === undefined) metadata.set(name, [rawHeaders[index + 1]!]);
    else values.push(rawHeaders[index + 1]!);
  }
  return metadata;
}

export function headersOf(metadata: Metadata): Record<string, string[]> {
  return Object.fromEntries(Array.from(metadata, ([name, values]) => [name, [...values]]));
}
