import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import { isUp } from './stop.ts';

/** The host's own ps: it is never looked up along PATH, still less inside the container. */
const psPaths = ['/usr/bin/ps', '/bin/ps'];

/**
 * The processes of a container as the host's ps shows them, as Docker does it: ps lists the whole host and we
 * keep the container's lines.
 */
export async function topContainer(
  context: EngineContext,
  ref: string,
  psArguments: string[],
): Promise<{ titles: string[]; processes: string[][] }> {
  const record = context.containers.get(ref);
  if (!isUp(record)) throw new EngineError('conflict', `Container ${record.id} is not running`);
  if (record.state.status === 'restarting') {
    throw new EngineError(
      'conflict',
      `Container ${record.id} is restarting, wait until the container is running`,
    );
  }
  refuseForgedPids(psArguments);
  const pids = new Set(context.runtime.processes(record.id).map(String));
  const output = await psOf(psArguments, [...pids]);
  const [header = '', ...lines] = output.split('\n').filter(line => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn === -1) throw new EngineError('invalid', "Couldn't find PID field in ps output");
  const processes = lines.map(line => splitColumns(line, titles.length)).filter(belongsTo(pids, pidColumn));
  publishContainerEvent(context, record, 'top');
  return { titles, processes };
}

/** Lines of threads, which `-m` adds, have a dash for their pid: they belong to the process above them. */
function belongsTo(pids: ReadonlySet<string>, pidColumn: number): (columns: string[]) => boolean {
  let within = false;
  return columns => {
    const pid = columns[pidColumn] ?? '';
    if (pid !== '-') within = pids.has(pid);
    return within;
  };
}

/** A column that is only called PID would choose the lines to show (moby, daemon/top_unix.go, validatePSArgs). */
function refuseForgedPids(psArguments: readonly string[]): void {
  for (const argument of psArguments) {
    for (const [, column = '', title = ''] of argument.matchAll(/([^\s,]*)=\s*(PID[^\s]*)/g)) {
      if (column !== 'pid') {
        throw new EngineError('invalid', `specifying "${column}=${title}" is not allowed`);
      }
    }
  }
}

/** Asks for these processes alone first, which ps refuses beside some options. */
async function psOf(psArguments: readonly string[], pids: readonly string[]): Promise<string> {
  try {
    return await runPs([...psArguments, `-q${pids.join(',')}`]);
  } catch {
    return runPs(psArguments);
  }
}

/** The last column, the command, keeps its spaces. */
function splitColumns(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}

function runPs(psArguments: readonly string[]): Promise<string> {
  const path = psPaths.find(candidate => existsSync(candidate));
  if (path === undefined) {
    throw new EngineError('unavailable', 'the host has no ps: install the package procps');
  }
  return new Promise((resolve, reject) => {
    execFile(path, psArguments, { maxBuffer: 64 << 20, env: { LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      // The first line says why, the rest is how to use ps.
      else reject(new EngineError('invalid', `ps: ${stderr.trim().split('\n')[0] || error.message}`));
    });
  });
}
