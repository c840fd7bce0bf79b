import { posix } from 'node:path';
import type { HashedEntry } from '../../storage/confined.ts';
import type { InputFile } from './reason.ts';

/** Enough digits to tell two versions of a file apart. */
const digestLength = 16;

/** @param source the path that was hashed, in its root. */
export function inputFiles(source: string, entries: readonly HashedEntry[]): InputFile[] {
  return entries.map(({ path, content, attributes }) => ({
    path: posix.join(source, path).slice(1) || '.',
    digest: content?.slice('sha256:'.length, 'sha256:'.length + digestLength) ?? '',
    attributes,
  }));
}
