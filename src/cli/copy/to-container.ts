import { lstatSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { humanSize } from '../output/units.ts';
import type { Session } from '../session.ts';
import { type CopyOptions, hasBit, isDirectoryMode, statInContainer } from './from-container.ts';
import { packTree } from './pack.ts';
import { planCopy } from './paths.ts';

/** @param from a path here, or `-` for an archive on stdin */
export async function copyToContainer(
  session: Session,
  from: string,
  id: string,
  to: string,
  options: CopyOptions,
): Promise<void> {
  const client = await session.client();
  let path = to;
  let stat = await statInContainer(client, id, path);
  if (stat !== undefined && hasBit(stat.mode, 0x08000000)) {
    path = stat.linkTarget.startsWith('/')
      ? stat.linkTarget
      : path.replace(/[^/]*\/?$/, '') + stat.linkTarget;
    stat = await statInContainer(client, id, path);
  }
  const put = (directory: string, body: AsyncIterable<Uint8Array>) =>
    act(client, containerOperations.writeArchive, {
      path: { id },
      query: {
        path: directory,
        noOverwriteDirNonDir: 'true',
        copyUIDGID: options.archive ? 'true' : undefined,
      },
      body,
    });
  if (from === '-') {
    if (stat === undefined || !isDirectoryMode(stat.mode)) {
      throw new EngineError('invalid', `destination "${id}:${to}" must be a directory`);
    }
    await put(path, session.input.stream());
    return;
  }
  const source = localSource(session, from, options);
  const place = { exists: stat !== undefined, isDirectory: stat !== undefined && isDirectoryMode(stat.mode) };
  const plan = planCopy({ path: from, isDirectory: source.isDirectory }, { path, ...place });
  if ('fault' in plan) throw new EngineError('invalid', plan.fault);
  let bytes = 0;
  const count = (more: number) => {
    bytes += more;
  };
  await put(plan.directory, packTree(source.path, { top: plan.top ?? '', onBytes: count }));
  if (!options.quiet && session.err.isTerminal)
    session.err.line(`Successfully copied ${humanSize(bytes, 3)} to ${id}:${to}`);
}

function localSource(
  session: Session,
  from: string,
  { followLink }: CopyOptions,
): { path: string; isDirectory: boolean } {
  const path = resolve(session.surroundings.workingDirectory, from);
  // A link is copied as a link, unless it is asked to be followed or ends in a slash.
  const follow = followLink || /\/$|\/\.$/.test(from);
  const stat = (follow ? statSync : lstatSync)(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new EngineError('invalid', `lstat ${path}: no such file or directory`);
  if (!stat.isDirectory() && /\/$/.test(from)) throw new EngineError('invalid', 'not a directory');
  return { path: follow ? realpathSync(path) : path, isDirectory: stat.isDirectory() };
}
