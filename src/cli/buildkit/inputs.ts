import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { randomHex } from '../../stdx/random-hex.ts';
import { sha256OfText } from '../../stdx/sha256.ts';
import { openContext, wholeText } from '../build-context/context.ts';
import { readAttributes, splitFields } from './attributes.ts';
import type { ContentStore } from './content.ts';
import { FlagFault } from './faults.ts';
import { digestOfImage } from './layout-index.ts';

/** Where a build's files come from. */
export interface BuildInputs {
  directories: Map<string, string>;
  attributes: Record<string, string>;
  /** OCI layouts that are contexts. */
  stores: Map<string, ContentStore>;
  upload?: AsyncIterable<Uint8Array>;
  /** The same for every build of a directory, so that the daemon finds what it has of it. */
  sharedKey: string;
  close(): void;
}

export interface InputOptions {
  /** PATH, URL or `-`. */
  place: string;
  /** `--file`, '' for the usual one. */
  file: string;
  /** `--build-context`: `NAME=PATH`. */
  contexts: readonly string[];
  workingDirectory: string;
  input: () => AsyncIterable<Buffer>;
}

/** Says of a text what buildx calls remote: the daemon fetches it. */
function isRemote(place: string): boolean {
  return /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(place);
}

/** @throws EngineError `invalid` in buildx's words */
export async function openInputs(options: InputOptions): Promise<BuildInputs> {
  const inputs: BuildInputs = {
    directories: new Map(),
    attributes: {},
    stores: new Map(),
    sharedKey: '',
    close: () => {},
  };
  addNamedContexts(inputs, options);
  const { place, file, workingDirectory, input } = options;
  if (place === '-') {
    const { body, dockerfile, lone } = await openContext(place, file, { workingDirectory, input });
    if (lone !== undefined) {
      const directory = writeDockerfile(inputs, lone);
      mkdirSync(join(directory, 'context'));
      inputs.directories.set('context', join(directory, 'context'));
      return inputs;
    }
    inputs.upload = body;
    Object.assign(inputs.attributes, { context: 'http://buildkit-session/context', filename: dockerfile });
    return inputs;
  }
  if (isRemote(place)) {
    inputs.attributes['context'] = place;
    if (file === '-') {
      writeDockerfile(inputs, await wholeText(input()));
      inputs.attributes['dockerfilekey'] = 'dockerfile';
    } else if (file !== '') inputs.attributes['filename'] = file;
    return inputs;
  }
  const directory = resolve(workingDirectory, place);
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new EngineError('invalid', `unable to prepare context: path ${JSON.stringify(place)} not found`);
  if (!stat.isDirectory())
    throw new EngineError('invalid', `unable to prepare context: path ${JSON.stringify(place)} not found`);
  inputs.directories.set('context', directory);
  inputs.sharedKey = sharedKeyOf(directory);
  if (file === '-') writeDockerfile(inputs, await wholeText(input()));
  else {
    const path = file === '' ? join(directory, 'Dockerfile') : resolve(workingDirectory, file);
    inputs.directories.set('dockerfile', dirname(path));
    inputs.attributes['filename'] = basename(path);
  }
  return inputs;
}

/** @returns the directory, which is gone with the inputs. */
function writeDockerfile(inputs: BuildInputs, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-dockerfile-'));
  inputs.close = () => rmSync(directory, { recursive: true });
  writeFileSync(join(directory, 'Dockerfile'), text);
  inputs.directories.set('dockerfile', directory);
  inputs.attributes['filename'] = 'Dockerfile';
  return directory;
}

function sharedKeyOf(directory: string): string {
  return sha256OfText(`${hostname()}:${directory}`);
}

function addNamedContexts(inputs: BuildInputs, { contexts, workingDirectory }: InputOptions): void {
  for (const text of contexts) {
    const equals = text.indexOf('=');
    const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
    if (equals <= 0) throw new FlagFault(`invalid context value: ${text}, expected key=value`);
    const key = name.toLowerCase();
    if (/^(docker-image|target):/.test(value) || isRemote(value)) {
      inputs.attributes[`context:${key}`] = value;
      continue;
    }
    if (value.startsWith('oci-layout://')) {
      addLayout(inputs, key, value.slice('oci-layout://'.length), workingDirectory);
      continue;
    }
    const directory = resolve(workingDirectory, value);
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new EngineError(
        'invalid',
        `failed to get build context ${name}: stat ${value}: no such file or directory`,
      );
    inputs.directories.set(key, directory);
    inputs.attributes[`context:${key}`] = `local:${key}`;
  }
}

/** @param place `PATH[:TAG][@DIGEST]` */
function addLayout(inputs: BuildInputs, key: string, place: string, workingDirectory: string): void {
  const [, path = '', tag = 'latest', given] = /^([^@:]*)(?::([^@]*))?(?:@(.*))?$/.exec(place) ?? [];
  const directory = resolve(workingDirectory, path);
  const digest = given ?? digestOfLayout(directory, tag, place);
  const store = randomHex(12);
  inputs.stores.set(`oci:${store}`, { directory, writable: false });
  inputs.attributes[`context:${key}`] = `oci-layout://${store}:${tag}@${digest}`;
}

function digestOfLayout(directory: string, tag: string, place: string): string {
  let reason = 'not found';
  try {
    const digest = digestOfImage(directory, tag);
    if (digest !== undefined) return digest;
  } catch (error) {
    reason = messageOf(error);
  }
  throw new EngineError(
    'invalid',
    `oci-layout reference ${JSON.stringify(`oci-layout://${place}`)} could not be resolved: ${reason}`,
  );
}

const secretLimitBytes = 500 * 1024;

/** `--secret id=mysecret[,src=/local/secret]`, `id=mysecret,env=NAME`. */
export function readSecrets(
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
): (id: string) => Buffer | undefined {
  const secrets = new Map<string, () => Buffer>();
  for (const text of texts) {
    const {
      id = '',
      type,
      source,
      src = source,
      env: variable,
      ...others
    } = readAttributes(splitFields(text));
    const [other] = Object.keys(others);
    if (other !== undefined) throw new EngineError('invalid', `unexpected key '${other}' in '${text}'`);
    if (type !== undefined && type !== 'file' && type !== 'env')
      throw new EngineError('invalid', `unsupported secret type ${JSON.stringify(type)}`);
    if (id === '') throw new EngineError('invalid', 'secret missing ID');
    const name = variable ?? (type === 'env' ? (src ?? id) : undefined);
    // Alone, an id names a variable where there is one, else a file.
    const fallback = src === undefined && type === undefined && env[id] !== undefined ? id : undefined;
    const wanted = name ?? fallback;
    if (wanted !== undefined) {
      secrets.set(id, () => Buffer.from(env[wanted] ?? ''));
      continue;
    }
    const path = resolve(workingDirectory, src ?? id);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new EngineError(
        'invalid',
        `failed to stat ${src ?? id}: stat ${src ?? id}: no such file or directory`,
      );
    if (stat.size > secretLimitBytes) {
      throw new EngineError('invalid', `secret ${id} too big. max size ${secretLimitBytes / 1024}KB`);
    }
    secrets.set(id, () => readSecret(id, path));
  }
  return id => secrets.get(id)?.();
}

function readSecret(id: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EngineError('invalid', `secret ${id}: ${messageOf(error)}`, { cause: error });
  }
}
