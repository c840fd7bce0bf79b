import { EngineError } from '../../stdx/errors.ts';

/** A process's identity, as numbers. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

/** Texts of the image's own /etc/passwd and /etc/group; '' where it has none. */
export interface UserDatabase {
  passwd: string;
  group: string;
}

/** The kernel's ids have 32 bits, but Docker (libcontainer/user) allows 31: -1 means "unchanged" to many calls. */
const largestId = 2 ** 31 - 1;

/**
 * `user`, `uid`, `user:group` ... as in Dockerfile's USER and `docker run -u`, looked up in the image's own files.
 * An unknown number is taken as it is, an unknown name is an error.
 * @throws invalid, in Docker's words
 */
export function resolveUser(spec: string, groupAdd: readonly string[], database: UserDatabase): ResolvedUser {
  const [userPart = '', groupPart = ''] = spec.split(':', 2);
  const users = parsePasswd(database.passwd);
  const groups = parseGroup(database.group);
  const user = findUser(userPart, users);
  const gid = groupPart === '' ? user.gid : findGroup(groupPart, groups);
  // An explicit group drops the memberships of the group file, as in Docker.
  const memberships =
    groupPart === '' ? groups.filter(group => group.members.includes(user.name)).map(group => group.gid) : [];
  const added = groupAdd.map(group => {
    if (/^-?\d+$/.test(group) || groups.some(({ name }) => name === group)) return findGroup(group, groups);
    throw new EngineError('invalid', `Unable to find group ${group}: no matching entries in group file`);
  });
  // The primary group is among them: otherwise a process could drop a group that a file's mode denies
  // something (CVE-2022-36109).
  const additionalGids = [...new Set([gid, ...memberships, ...added])];
  return { uid: user.uid, gid, additionalGids, home: user.home };
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

function findUser(wanted: string, users: PasswdEntry[]): PasswdEntry {
  if (wanted === '') {
    return users.find(user => user.uid === 0) ?? { name: 'root', uid: 0, gid: 0, home: '/root' };
  }
  const number = numberOf(wanted);
  const found = users.find(user => user.name === wanted) ?? users.find(user => user.uid === number);
  if (found !== undefined) return found;
  if (number === undefined) {
    throw new EngineError('invalid', `unable to find user ${wanted}: no matching entries in passwd file`);
  }
  return { name: '', uid: number, gid: 0, home: '/' };
}

function findGroup(wanted: string, groups: GroupEntry[]): number {
  const number = numberOf(wanted);
  const found = groups.find(group => group.name === wanted);
  if (found !== undefined) return found.gid;
  if (number !== undefined) return number;
  throw new EngineError('invalid', `unable to find group ${wanted}: no matching entries in group file`);
}

function numberOf(text: string): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  const number = Number(text);
  if (number < 0 || number > largestId) {
    throw new EngineError('invalid', `uids and gids must be in range 0-${largestId}`);
  }
  return number;
}

/** `name:password:uid:gid:gecos:home:shell` */
function parsePasswd(text: string): PasswdEntry[] {
  return linesOf(text).flatMap(line => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    return isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home: home || '/' }] : [];
  });
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** `name:password:gid:member,member` */
function parseGroup(text: string): GroupEntry[] {
  return linesOf(text).flatMap(line => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(',').filter(name => name !== '') }]
      : [];
  });
}

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= largestId;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
}
