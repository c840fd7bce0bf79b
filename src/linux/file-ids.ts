import { PR_GET_SECUREBITS, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP } from './constants.ts';
import { libc, libcRaw } from './libc.ts';

export interface FileIds {
  uid: number;
  gid: number;
}

/**
 * From now on this thread makes files as somebody else, and keeps all of root's rights over those of others: the
 * kernel takes them away together with the id 0 unless told not to (capabilities(7), SECBIT_NO_SETUID_FIXUP).
 * @returns goes back. Nothing may be spawned before: children inherit it.
 */
export function actWithFileIds({ uid, gid }: FileIds): () => void {
  const before = prctl('', PR_GET_SECUREBITS, 0, 0, 0, 0);
  prctl('', PR_SET_SECUREBITS, before | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
  const formerGid = setfsgid(gid);
  const formerUid = setfsuid(uid);
  return () => {
    setfsuid(formerUid);
    setfsgid(formerGid);
    prctl('', PR_SET_SECUREBITS, before, 0, 0, 0);
  };
}

const prctl = libc<[number, number, number, number, number]>(
  'int prctl(int option, ulong a, ulong b, ulong c, ulong d)',
);
/** They give back the id before, and never an error. */
const setfsuid = libcRaw<[number]>('int setfsuid(uint id)');
const setfsgid = libcRaw<[number]>('int setfsgid(uint id)');
