import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../stdx/errors.ts';
import { F_ADD_SEALS, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, SEALED } from './constants.ts';
import { libc } from './libc.ts';

/** A program in memory that nobody can change any more; it can be run while this process lives. */
export interface SealedProgram {
  /** Below /proc: for execve in this process and its descendants of the same pid namespace. */
  readonly path: string;
  close(): void;
}

/** @throws SystemError where the kernel has no memfd or does not let them be run (sysctl vm.memfd_noexec). */
export function sealProgram(path: string, name: string): SealedProgram {
  const fd = createExecutable(name);
  try {
    writeFileSync(fd, readFileSync(path));
    fcntl(name, fd, F_ADD_SEALS, SEALED);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { path: `/proc/${process.pid}/fd/${fd}`, close: () => closeSync(fd) };
}

function createExecutable(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return memfdCreate(name, name, flags | MFD_EXEC);
  } catch (error) {
    // Before Linux 6.3 there was no such flag, and every one could be run.
    if (errnoOf(error) !== 'EINVAL') throw error;
    return memfdCreate(name, name, flags);
  }
}

const memfdCreate = libc<[string, number]>('int memfd_create(const char *name, uint flags)');
const fcntl = libc<[number, number, number]>('int fcntl(int fd, int command, int argument)');
