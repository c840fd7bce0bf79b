import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ContainerPathStat } from '../../api/containers.ts';
import { pathStatHeader } from '../../api/paths.ts';
import type { Client } from '../../client/client.ts';
import type { HttpResponse } from '../../client/http-connection.ts';
import { act, open } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { humanSize } from '../output/units.ts';
import type { Session } from '../session.ts';
import { bodyChunks } from './body-chunks.ts';
import { meansContent, planCopy, renameTop } from './paths.ts';
import { unpackInto } from './unpack.ts';

const directoryBit = 0x80000000;
const symlinkBit = 0x08000000;

export interface CopyOptions {
  archive: boolean;
  followLink: boolean;
  quiet: boolean;
}

/** @param to a path here, or `-` for the archive itself on stdout */
export async function copyFromContainer(
  session: Session,
  id: string,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<void> {
  const client = await session.client();
  const path = options.followLink ? await followed(client, id, from) : from;
  const response = await open(client, containerOperations.readArchive, { path: { id }, query: { path } });
  if (to === '-') return response.consume(chunk => session.out.write(chunk));
  const stat = decodePathStat(response);
  const whole = resolve(session.surroundings.workingDirectory, to);
  if (!existsSync(dirname(whole))) {
    response.cancel();
    throw new EngineError(
      'invalid',
      `invalid output path: directory ${JSON.stringify(dirname(whole))} does not exist`,
    );
  }
  const target = whole + (/\/$|\/\.$/.test(to) ? '/' : '');
  const place = {
    exists: existsSync(target),
    isDirectory: statSync(target, { throwIfNoEntry: false })?.isDirectory() ?? false,
  };
  const plan = planCopy({ path, isDirectory: hasBit(stat.mode, directoryBit) }, { path: target, ...place });
  if ('fault' in plan) {
    response.cancel();
    throw new EngineError('invalid', plan.fault);
  }
  // `dir/.` comes as `./...`, everything else under its own name.
  const rename = (name: string) =>
    meansContent(path) ? joined(plan.top, name.replace(/^\.\/?/, '')) : renameTop(name, plan.top);
  const bytes = await unpackInto(plan.directory, bodyChunks(response), rename, { owners: options.archive });
  if (!options.quiet && session.err.isTerminal)
    session.err.line(`Successfully copied ${humanSize(bytes, 3)} to ${target}`);
}

function joined(top: string | undefined, rest: string): string {
  return [top, rest].filter(Boolean).join('/');
}

/** Where a symbolic link in the container leads, one step. */
async function followed(client: Client, id: string, path: string): Promise<string> {
  const stat = await statInContainer(client, id, path);
  if (stat === undefined || !hasBit(stat.mode, symlinkBit)) return path;
  return stat.linkTarget.startsWith('/') ? stat.linkTarget : path.replace(/[^/]*\/?$/, '') + stat.linkTarget;
}

/** @returns undefined when there is nothing */
export async function statInContainer(
  client: Client,
  id: string,
  path: string,
): Promise<ContainerPathStat | undefined> {
  try {
    const response = await open(client, containerOperations.statPath, { path: { id }, query: { path } });
    await response.consume(() => {});
    return decodePathStat(response);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'notFound') {
      // HEAD has no body to say what is missing: ask for the container, whose absence is an error here.
      await act(client, containerOperations.inspect, { path: { id } });
      return undefined;
    }
    throw error;
  }
}

export function decodePathStat(response: HttpResponse): ContainerPathStat {
  const encoded = response.headers[pathStatHeader.toLowerCase()];
  if (encoded === undefined)
    throw new EngineError('unavailable', `the daemon sent no ${pathStatHeader} header`);
  return JSON.parse(Buffer.from(encoded, 'base64').toString()) as ContainerPathStat;
}

/** Go's mode bits use all 32 bits: JavaScript's & would make them negative. */
export function hasBit(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}

export function isDirectoryMode(mode: number): boolean {
  return hasBit(mode, directoryBit);
}
