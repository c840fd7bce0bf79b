import type { ConfigFile } from './config-file.ts';

const variables = {
  HTTP_PROXY: 'httpProxy',
  HTTPS_PROXY: 'httpsProxy',
  NO_PROXY: 'noProxy',
  FTP_PROXY: 'ftpProxy',
  ALL_PROXY: 'allProxy',
} as const;

/**
 * The variables that config.json's `proxies` gives to containers and builds, each in capitals and in small letters, as
 * programs look for the one or the other.
 * @param address of the daemon: it may have proxies of its own, instead of the `default` ones
 * @returns `NAME=value`
 */
export function proxyVariables({ proxies = {} }: ConfigFile, address: string): string[] {
  const chosen = proxies[address] ?? proxies['default'] ?? {};
  return Object.entries(variables).flatMap(([name, key]) => {
    const value = chosen[key];
    return value ? [`${name}=${value}`, `${name.toLowerCase()}=${value}`] : [];
  });
}

/** Those whose names were not given otherwise. @param given `NAME=value`, or a name alone */
export function variablesBeside(given: readonly string[], proxies: readonly string[]): string[] {
  const nameOf = (entry: string) => entry.split('=', 1)[0];
  const names = new Set(given.map(nameOf));
  return proxies.filter(entry => !names.has(nameOf(entry)));
}
