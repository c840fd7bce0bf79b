import { EngineError } from '../../stdx/errors.ts';
import type { SourceTree } from '../source-tree.ts';

export interface Owner {
  uid: number;
  gid: number;
}

/** Reads a file of the root the names are looked up in; undefined when it is not there. */
export type ReadFile = (path: string) => Promise<Buffer | undefined>;

/**
 * `user`, `user:group`, names or numbers, by the passwd and group files of the image. A number without a group is
 * its own group, a name's group is the one in passwd; with a colon and nothing after it, it is 0.
 * @throws EngineError `invalid` in Docker's words
 */
export async function resolveOwner(text: string, readFile: ReadFile): Promise<Owner> {
  const [user = '', group, more] = text.split(':');
  if (more !== undefined) throw new EngineError('invalid', `invalid chown string format: ${text}`);
  const { uid, gid } = user === '' ? { uid: 0, gid: 0 } : await findUser(user, readFile);
  if (group === undefined) return { uid, gid };
  return { uid, gid: group === '' ? 0 : await findGroup(group, readFile) };
}

/** By the files of an image or stage. */
export function ownerIn(tree: SourceTree, text: string): Promise<Owner> {
  return tree.recall(['owner', text], () =>
    resolveOwner(text, async path => (await tree.root()).readFile(path)),
  );
}

const largestId = 2 ** 32 - 2;

function parseId(text: string): number | undefined {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  if (id > largestId) throw new EngineError('invalid', `uids and gids must be in range 0-${largestId}`);
  return id;
}

async function findUser(name: string, readFile: ReadFile): Promise<Owner> {
  const id = parseId(name);
  if (id !== undefined) return { uid: id, gid: id };
  const fields = await findLine('/etc/passwd', name, readFile);
  if (fields === undefined) throw unknown('uid', 'user', name);
  return { uid: parseId(fields[2] ?? '') ?? 0, gid: parseId(fields[3] ?? '') ?? 0 };
}

async function findGroup(name: string, readFile: ReadFile): Promise<number> {
  const id = parseId(name);
  if (id !== undefined) return id;
  const fields = await findLine('/etc/group', name, readFile);
  if (fields === undefined) throw unknown('gid', 'group', name);
  return parseId(fields[2] ?? '') ?? 0;
}

async function findLine(path: string, name: string, readFile: ReadFile): Promise<string[] | undefined> {
  const text = (await readFile(path))?.toString('utf8') ?? '';
  return text
    .split('\n')
    .map(line => line.split(':'))
    .find(fields => fields[0] === name);
}

function unknown(id: string, kind: string, name: string): EngineError {
  const reason = `can't find ${id} for ${kind} ${name}: no such ${kind}: ${name}`;
  return new EngineError('invalid', `unable to convert uid/gid chown string to host mapping: ${reason}`);
}
