import { lstatSync } from 'node:fs';
import type { Client } from '../../../client/client.ts';
import { act } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { packFiles } from '../../copy/pack.ts';
import { runInContainer } from './run-in-container.ts';

/** How many paths one command is given. */
const removedAtOnce = 500;

/**
 * Brings a container's files to what they are here: what is there goes over as one archive, to whom the container's
 * user belongs; what is not is removed by the container's own rm.
 * @param places paths in the container by paths of this machine
 */
export async function syncFiles(
  client: Client,
  id: string,
  places: ReadonlyMap<string, string>,
): Promise<void> {
  const going: string[] = [];
  const coming: { path: string; name: string }[] = [];
  for (const [path, place] of places) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) going.push(place);
    else coming.push({ path, name: place.replace(/^\/+/, '') });
  }
  // What is below something that goes, goes with it.
  const gone = new Set(going);
  const tops = going.filter(place => ![...parentsOf(place)].some(parent => gone.has(parent)));
  for (let at = 0; at < tops.length; at += removedAtOnce) {
    const { exitCode, output } = await runInContainer(client, id, {
      Cmd: ['rm', '-rf', '--', ...tops.slice(at, at + removedAtOnce)],
      User: '0',
    });
    if (exitCode !== 0) throw new EngineError('internal', `removing files: ${output.trim()}`);
  }
  if (coming.length === 0) return;
  await act(client, containerOperations.writeArchive, {
    path: { id },
    query: { path: '/', copyUIDGID: true },
    body: packFiles(coming, { owner: { uid: 0, gid: 0 } }),
  });
}

function* parentsOf(place: string): Generator<string> {
  for (let end = place.lastIndexOf('/'); end > 0; end = place.lastIndexOf('/', end - 1))
    yield place.slice(0, end);
}
