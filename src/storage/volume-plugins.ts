import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { type PluginAddress, VolumePlugin } from './volume-plugin.ts';

/**
 * Where Docker looks for plugins, so that those written for it are found:
 *
 *     /run/docker/plugins/NAME.sock, NAME/NAME.sock
 *     /etc/docker/plugins/NAME.spec   an address: unix:///path, tcp://host:port
 *     /etc/docker/plugins/NAME.json   {"Name", "Addr", "TLSConfig": {"InsecureSkipVerify", "CAFile", "CertFile", "KeyFile"}}
 *     /usr/lib/docker/plugins/...     the same
 */
export interface PluginDirectories {
  sockets: string;
  specifications: readonly string[];
}

export const pluginDirectories: PluginDirectories = {
  sockets: '/run/docker/plugins',
  specifications: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
};

/** The volume drivers that other processes are. Looked for anew each time: they come and go as they like. */
export class VolumePlugins {
  readonly #directories: PluginDirectories;
  /** By name; kept while the address is the same. */
  readonly #known = new Map<string, { address: string; plugin: VolumePlugin }>();

  constructor(directories: PluginDirectories = pluginDirectories) {
    this.#directories = directories;
  }

  /** @throws EngineError `notFound`, in Docker's words */
  get(name: string): VolumePlugin {
    const found = isPluginName(name) ? this.#look(name) : undefined;
    if (found !== undefined) return found;
    throw new EngineError('notFound', `error looking up volume plugin ${name}: plugin "${name}" not found`);
  }

  /** Those that are there now, sorted by name. */
  list(): VolumePlugin[] {
    const { sockets, specifications } = this.#directories;
    const names = [sockets, ...specifications].flatMap(directory =>
      entriesOf(directory).map(entry => entry.replace(/\.(sock|spec|json)$/, '')),
    );
    return [...new Set(names)]
      .sort()
      .filter(isPluginName)
      .flatMap(name => {
        try {
          return this.#look(name) ?? [];
        } catch {
          // A file that says nothing useful is an error for who asks for it by name.
          return [];
        }
      });
  }

  #look(name: string): VolumePlugin | undefined {
    const address = findAddress(this.#directories, name);
    if (address === undefined) return undefined;
    const text = JSON.stringify(address);
    const known = this.#known.get(name);
    if (known?.address === text) return known.plugin;
    const plugin = new VolumePlugin(address);
    this.#known.set(name, { address: text, plugin });
    return plugin;
  }
}

function isPluginName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.:-]*$/.test(name);
}

function findAddress(
  { sockets, specifications }: PluginDirectories,
  name: string,
): PluginAddress | undefined {
  for (const path of [join(sockets, `${name}.sock`), join(sockets, name, `${name}.sock`)]) {
    if (statSync(path, { throwIfNoEntry: false })?.isSocket()) return { name, url: `unix://${path}` };
  }
  for (const directory of specifications) {
    const specification = join(directory, `${name}.spec`);
    if (existsSync(specification)) return { name, url: urlOf(name, readFileSync(specification, 'utf8')) };
    const description = join(directory, `${name}.json`);
    if (existsSync(description)) return readDescription(name, description);
  }
  return undefined;
}

function readDescription(name: string, path: string): PluginAddress {
  let text: { Addr?: string; TLSConfig?: Record<string, string | boolean> };
  try {
    text = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EngineError('invalid', `plugin "${name}": ${path}: ${messageOf(error)}`, { cause: error });
  }
  const tls = text.TLSConfig;
  const url = urlOf(name, text.Addr ?? '');
  if (tls === undefined) return { name, url };
  const file = (key: string) => (tls[key] ? readFileSync(String(tls[key]), 'utf8') : undefined);
  return {
    name,
    url: url.replace(/^http:/, 'https:'),
    tls: {
      insecure: tls['InsecureSkipVerify'] === true,
      ca: file('CAFile'),
      cert: file('CertFile'),
      key: file('KeyFile'),
    },
  };
}

function urlOf(name: string, text: string): string {
  const address = text.trim();
  if (/^unix:\/\/\/./.test(address)) return address;
  if (/^(tcp|https?):\/\/[^/]+\/?$/.test(address))
    return address.replace(/^tcp:/, 'http:').replace(/\/$/, '');
  throw new EngineError('invalid', `plugin "${name}": invalid address ${JSON.stringify(address)}`);
}

function entriesOf(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
