import type { ConfinedRoot, HashedTree } from '../../storage/confined.ts';
import type { FoundSource } from './copy-plan.ts';

/** Something to copy, its content known by its hash. */
export interface PreparedSource {
  found: FoundSource;
  /** Where it is. What has to be fetched is not before the copy is made. */
  open(signal: AbortSignal): Promise<OpenedSource>;
  hash: string;
  /** With --parents: the directories above it that are kept, outermost first. */
  above?: readonly DirectoryAbove[];
  /** The files behind the hash; undefined: it is not one of files. */
  tree?: HashedTree;
  /** On the host, where the file may be an archive to unpack. */
  archive?: string;
  /** For files that the Dockerfile or a server brought: their permissions. */
  permissions?: number;
}

export interface DirectoryAbove {
  /** Below the destination. */
  path: string;
  permissions: number;
  uid: number;
  gid: number;
}

export interface OpenedSource {
  root: ConfinedRoot;
  /** Without symbolic links. */
  path: string;
  /** Of a directory; undefined: all of it. */
  only?: readonly string[];
}
