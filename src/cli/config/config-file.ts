import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError, errnoOf, messageOf } from '../../stdx/errors.ts';

/** `config.json`, shared with docker: what is not known here is kept as it is. */
export interface ConfigFile {
  auths?: Record<string, AuthEntry>;
  HttpHeaders?: Record<string, string>;
  psFormat?: string;
  imagesFormat?: string;
  networksFormat?: string;
  volumesFormat?: string;
  secretFormat?: string;
  statsFormat?: string;
  detachKeys?: string;
  /** Program `docker-credential-<this>` for all registries. */
  credsStore?: string;
  /** The same, by registry. */
  credHelpers?: Record<string, string>;
  currentContext?: string;
  proxies?: Record<string, Record<string, string>>;
  [key: string]: unknown;
}

export interface AuthEntry {
  /** Base64 of `user:password`. */
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  email?: string;
}

/** @returns an empty configuration when there is no file */
export function loadConfig(directory: string): ConfigFile {
  const path = join(directory, 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return {};
    throw error;
  }
  try {
    return JSON.parse(text) as ConfigFile;
  } catch (error) {
    throw new EngineError('invalid', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Written aside and renamed, through symbolic links, keeping the mode: the file may hold passwords. */
export function saveConfig(directory: string, config: ConfigFile): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let path = join(directory, 'config.json');
  let mode = 0o600;
  try {
    path = realpathSync(path);
    mode = statSync(path).mode & 0o777;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const aside = join(dirname(path), `config.json.${process.pid}`);
  writeFileSync(aside, `${JSON.stringify(config, undefined, '\t')}\n`, { mode });
  chmodSync(aside, mode);
  renameSync(aside, path);
}
