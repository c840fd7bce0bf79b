/** `proto://address`, as log drivers take it. */
export interface TransportAddress {
  scheme: string;
  host: string;
  /** undefined: none was given */
  port: string | undefined;
  path: string;
}

/** @returns undefined when it is not of the form */
export function parseTransportAddress(
  text: string,
  schemes: readonly string[],
): TransportAddress | undefined {
  const scheme = schemes.find(candidate => text.startsWith(`${candidate}://`));
  if (scheme === undefined) return undefined;
  const rest = text.slice(scheme.length + 3);
  const [authority = ''] = rest.split('/', 1);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority);
  return {
    scheme,
    host: (match?.[1] ?? authority).replace(/^\[(.*)\]$/, '$1'),
    port: match?.[2],
    path: rest.slice(authority.length),
  };
}
