import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { SYS_pidfd_open, SYS_pidfd_send_signal } from './constants.ts';
import { libc, syscall } from './libc.ts';

/** Signal numbers by name (`SIGTERM`). */
export const signals: Readonly<Record<string, number>> = constants.signals;

/**
 * The number of a signal as people write it: `9`, `KILL`, `sigkill`, `SIGRTMIN+3`.
 * @throws EngineError `invalid`, in Docker's words.
 */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number > 0 && number <= SIGRTMAX) return number;
    throw new EngineError('invalid', `Invalid signal: ${text}`);
  }
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const number = signals[name] ?? realTimeSignal(name);
  if (number === undefined) throw new EngineError('invalid', `Invalid signal: ${text}`);
  return number;
}

/** `SIGKILL` for 9; the number itself for a signal without a name. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(signals)) if (value === number) return name;
  return String(number);
}

/**
 * kill(2). @returns false when there is no such process.
 * @throws EngineError for 0, which is our own process group (and what the kernel calls processes of namespaces that we
 * do not see), and for negative numbers, which are groups or everybody.
 */
export function kill(pid: number, signal: number): boolean {
  if (!(pid > 0)) throw new EngineError('internal', `there is no process ${pid} to kill`);
  return falseOn('ESRCH', () => killCall(`process ${pid}`, pid, signal));
}

/** A pidfd: names one process for ever, whatever happens to its number. Close it with fs.closeSync. */
export function pidfdOpen(pid: number): number {
  return pidfdOpenCall(`process ${pid}`, pid, 0);
}

/** @returns false when the process has ended. */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  return falseOn('ESRCH', () => pidfdSendSignalCall(`pidfd ${pidfd}`, pidfd, signal, null, 0));
}

/**
 * When the process started, in clock ticks since boot: with the pid it names a process for as long as the machine
 * is up. undefined when there is no such process, or when it is a zombie, which runs nothing any more.
 */
export function getProcessStartTime(pid: number): bigint | undefined {
  const fields = statFields(pid);
  // proc_pid_stat(5): state is field 3, starttime field 22; `fields` begins at field 3.
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : BigInt(fields[19]!);
}

/** Whether the process that had this start time still runs (zombies do not). */
export function processExists(pid: number, startTime: bigint): boolean {
  return getProcessStartTime(pid) === startTime;
}

/** Whether it waits for something to come (state S of proc_pid_stat(5)); false when it runs, is about to, or is gone. */
export function isSleeping(pid: number): boolean {
  return statFields(pid)?.[0] === 'S';
}

/** Processes that were started with all these words among their arguments. It reads all of /proc. */
export function processesWithArguments(words: readonly string[]): number[] {
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return words.every(word => argv.includes(word)) ? [Number(name)] : [];
    } catch {
      return []; // it has ended
    }
  });
}

/** Pid of the leader of its session, who may have ended; undefined when there is no such process. */
export function sessionOf(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : Number(fields[3]);
}

export function parentOf(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : Number(fields[1]);
}

const SIGRTMIN = 34;
const SIGRTMAX = 64;

const killCall = libc<[pid: number, signal: number]>('int kill(int pid, int signal)');
const pidfdOpenCall = syscall<[pid: number, flags: number]>(
  'pidfd_open',
  SYS_pidfd_open,
  'int pid, uint flags',
);
const pidfdSendSignalCall = syscall<[number, number, null, number]>(
  'pidfd_send_signal',
  SYS_pidfd_send_signal,
  'int pidfd, int signal, void *info, uint flags',
);

function falseOn(code: string, work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (errnoOf(error) === code) return false;
    throw error;
  }
}

function realTimeSignal(name: string): number | undefined {
  const match = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (match === null) return undefined;
  const offset = Number(match[3] ?? 0) * (match[2] === '-' ? -1 : 1);
  const number = (match[1] === 'MIN' ? SIGRTMIN : SIGRTMAX) + offset;
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

/** Fields of /proc/<pid>/stat from the third on. The second, the command, may hold spaces and parentheses. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
