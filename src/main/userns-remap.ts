import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IdMappings } from '../oci/id-mappings.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';

/** What userns-remap reads and may change; the host's files, or a test's. */
export interface Accounts {
  /** '' for a file that is not there. */
  read(path: '/etc/passwd' | '/etc/group' | '/etc/subuid' | '/etc/subgid'): string;
  /** Makes a system user with a group of the same name. */
  addUser(name: string): void;
  /** Gives a user ranges of subordinate ids. */
  addRanges(name: string, uid: IdRange, gid: IdRange): void;
}

export interface IdRange {
  first: number;
  size: number;
}

/** The account that `default` stands for. */
const defaultAccount = 'dockremap';
const firstRange = 100_000;
const rangeSize = 65_536;

/**
 * `--userns-remap`: `default`, `user`, `uid`, `user:group` ... The user's ranges in /etc/subuid and /etc/subgid become
 * the ids of containers, one after the other from 0 on. For `default` the account and its ranges are made when they
 * are missing. For root nothing is remapped.
 * @throws EngineError `invalid`, in Docker's words
 */
export function resolveRemap(spec: string, accounts: Accounts): IdMappings | undefined {
  if (spec === '') return undefined;
  const parts = spec.split(':');
  if (parts.length > 2) {
    throw new EngineError(
      'invalid',
      `Invalid user/group specification in --userns-remap: ${JSON.stringify(spec)}`,
    );
  }
  const [userPart = '', groupPart] = parts;
  const user = userPart === 'default' ? defaultUser(accounts) : findUser(userPart, accounts);
  if (groupPart !== undefined && userPart !== 'default') requireGroup(groupPart, accounts);
  if (user.id === 0) return undefined;
  return {
    uid: mappingsOf(user, accounts.read('/etc/subuid'), 'subuid'),
    gid: mappingsOf(user, accounts.read('/etc/subgid'), 'subgid'),
  };
}

/** The host's own. */
export const hostAccounts: Accounts = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return '';
      throw error;
    }
  },
  addUser: name =>
    run('/usr/sbin/useradd', [
      ...['--system', '--user-group', '--no-create-home'],
      ...['--home-dir', '/nonexistent', '--shell', '/bin/false', name],
    ]),
  addRanges: (name, uid, gid) =>
    run('/usr/sbin/usermod', ['--add-subuids', textOf(uid), '--add-subgids', textOf(gid), name]),
};

interface Account {
  name: string;
  id: number;
}

function defaultUser(accounts: Accounts): Account {
  if (entries(accounts.read('/etc/passwd')).every(({ name }) => name !== defaultAccount)) {
    accounts.addUser(defaultAccount);
  }
  const subuid = rangesIn(accounts.read('/etc/subuid'));
  const subgid = rangesIn(accounts.read('/etc/subgid'));
  const has = (ranges: OwnedRange[]) => ranges.some(({ owner }) => owner === defaultAccount);
  if (!has(subuid) && !has(subgid)) accounts.addRanges(defaultAccount, freeRange(subuid), freeRange(subgid));
  return findUser(defaultAccount, accounts);
}

function findUser(wanted: string, accounts: Accounts): Account {
  const users = entries(accounts.read('/etc/passwd'));
  const isNumber = /^-?\d+$/.test(wanted);
  const found = users.find(({ name, id }) => (isNumber ? id === Number(wanted) : name === wanted));
  if (found !== undefined) return found;
  const missing = `unable to find entry ${JSON.stringify(wanted)} in passwd database`;
  throw new EngineError(
    'invalid',
    isNumber
      ? `Uid ${wanted} has no entry in /etc/passwd: ${missing}`
      : `Error during uid lookup for ${JSON.stringify(wanted)}: ${missing}`,
  );
}

function requireGroup(wanted: string, accounts: Accounts): void {
  const groups = entries(accounts.read('/etc/group'));
  const isNumber = /^-?\d+$/.test(wanted);
  if (groups.some(({ name, id }) => (isNumber ? id === Number(wanted) : name === wanted))) return;
  const missing = `unable to find entry ${JSON.stringify(wanted)} in group database`;
  throw new EngineError(
    'invalid',
    isNumber
      ? `Gid ${wanted} has no entry in /etc/group: ${missing}`
      : `Error during groupname lookup for ${JSON.stringify(wanted)}: ${missing}`,
  );
}

function mappingsOf({ name, id }: Account, text: string, file: 'subuid' | 'subgid') {
  const ranges = rangesIn(text).filter(({ owner }) => owner === name || owner === String(id));
  if (ranges.length === 0) {
    throw new EngineError(
      'invalid',
      `Can't create ID mappings: no ${file} ranges found for user ${JSON.stringify(name)}`,
    );
  }
  let containerID = 0;
  return ranges.map(({ first, size }) => {
    const mapping = { containerID, hostID: first, size };
    containerID += size;
    return mapping;
  });
}

/** passwd(5) and group(5) both begin with `name:password:id:`. */
function entries(text: string): Account[] {
  return linesOf(text).flatMap(([name = '', , id = '']) =>
    /^\d+$/.test(id) ? [{ name, id: Number(id) }] : [],
  );
}

interface OwnedRange extends IdRange {
  /** A name or an id. */
  owner: string;
}

/** subuid(5): `owner:first:count` */
function rangesIn(text: string): OwnedRange[] {
  return linesOf(text).flatMap(([owner = '', first = '', size = '']) =>
    /^\d+$/.test(first) && /^\d+$/.test(size) ? [{ owner, first: Number(first), size: Number(size) }] : [],
  );
}

function linesOf(text: string): string[][] {
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.split(':'));
}

/** Behind all others. */
function freeRange(taken: readonly IdRange[]): IdRange {
  const first = Math.max(firstRange, ...taken.map(range => range.first + range.size));
  return { first, size: rangeSize };
}

function textOf({ first, size }: IdRange): string {
  return `${first}-${first + size - 1}`;
}

function run(program: string, args: string[]): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error === undefined && status === 0) return;
  const reason = error?.message ?? stderr.trim();
  throw new EngineError('internal', `making the account for userns-remap: ${program}: ${reason}`);
}
