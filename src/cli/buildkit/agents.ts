import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { plainReason } from '../streams.ts';
import { readSshKey, type SshKey } from './ssh-key.ts';

/** Who answers a build's questions to an ssh agent: the agent behind a socket, or keys from files. */
export type Agent = { socketPath: string } | { keys: SshKey[] };

/** No key is that large; of something else this much is read and no more. */
const keyLimitBytes = 100 * 1024;

/**
 * `--ssh default`, `--ssh ID=/path/of/agent.sock`, `--ssh ID=key,key`.
 * @returns agents by id
 * @throws EngineError `invalid` in buildx's words
 */
export function readAgents(
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  workingDirectory: string,
): Map<string, Agent> {
  const agents = new Map<string, Agent>();
  for (const text of texts) {
    const [id = '', ...rest] = text.split('=');
    const paths = rest.join('=').split(',');
    if (agents.has(id)) throw new EngineError('invalid', `duplicate agent ID ${JSON.stringify(id)}`);
    const what = `failed to convert agent config {${id} [${paths.join(' ')}] false}`;
    const given = paths.join('') !== '';
    const socket = env['SSH_AUTH_SOCK'] ?? '';
    if (!given && socket === '') {
      const message = 'invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set';
      throw new EngineError('invalid', `${what}: ${message}`);
    }
    try {
      agents.set(id, agentOf(given ? paths : [socket], workingDirectory));
    } catch (error) {
      const message = `failed to convert agent config for ID: ${JSON.stringify(id)}: ${messageOf(error)}`;
      throw new EngineError('invalid', `${what}: ${message}`, { cause: error });
    }
  }
  return agents;
}

function agentOf(paths: readonly string[], workingDirectory: string): Agent {
  const keys: SshKey[] = [];
  let socketPath: string | undefined;
  for (const path of paths) {
    if (socketPath !== undefined) throw new EngineError('invalid', 'only single socket allowed');
    const whole = resolve(workingDirectory, path);
    if (isSocket(whole, path)) socketPath = whole;
    else keys.push(readKey(whole, path));
  }
  if (socketPath === undefined) return { keys };
  if (keys.length > 0) throw new EngineError('invalid', 'invalid combination of keys and sockets');
  return { socketPath };
}

function isSocket(path: string, shown: string): boolean {
  try {
    return statSync(path).isSocket();
  } catch (error) {
    throw new EngineError('invalid', `stat ${shown}: ${plainReason(error)}`);
  }
}

function readKey(path: string, shown: string): SshKey {
  let text: string;
  try {
    text = firstOf(path, keyLimitBytes);
  } catch (error) {
    throw new EngineError('invalid', `failed to read ${shown}: read ${shown}: ${plainReason(error)}`);
  }
  try {
    return readSshKey(text);
  } catch (error) {
    throw new EngineError('invalid', `failed to parse ${shown}: ${messageOf(error)}`, { cause: error });
  }
}

function firstOf(path: string, limitBytes: number): string {
  const bytes = Buffer.alloc(limitBytes);
  const file = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(file, bytes)).toString('latin1');
  } finally {
    closeSync(file);
  }
}
