import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { perform } from '../client/operation.ts';
import { containerOperations } from '../client/operations.ts';
import { EngineError, errnoOf, kindOf, messageOf } from '../stdx/errors.ts';
import { type CreatePlan, forVersion } from './container-options/create-request.ts';
import { requireOwnFields } from './of-gantryd.ts';
import { pullImage } from './pull-image.ts';
import { checkReferenceOrId, splitReference } from './references.ts';
import type { Session } from './session.ts';

/**
 * Creates a container, fetching its image first when that is missing (or when asked to in any case).
 * @returns its id
 */
export async function createContainer(
  session: Session,
  plan: CreatePlan,
  { pull, quiet }: { pull: string; quiet: boolean },
): Promise<string> {
  if (!['always', 'missing', 'never'].includes(pull)) {
    throw new EngineError(
      'invalid',
      `invalid pull option: '${pull}': must be one of "always", "missing" or "never"`,
    );
  }
  checkReferenceOrId(plan.image);
  await requireOwnFields(await session.client(), plan.request.HostConfig ?? {});
  const cidFile = plan.cidFile === '' ? undefined : openCidFile(plan.cidFile);
  try {
    if (pull === 'always')
      await pullImage(session, plan.image, { platform: plan.platform, quiet, to: session.err });
    const { Id, Warnings } = await createOrPull(session, plan, pull === 'missing', quiet);
    for (const warning of Warnings ?? []) session.err.line(`WARNING: ${warning}`);
    cidFile?.write(Id);
    return Id;
  } finally {
    cidFile?.close();
  }
}

async function createOrPull(session: Session, plan: CreatePlan, mayPull: boolean, quiet: boolean) {
  try {
    return await create(session, plan);
  } catch (error) {
    if (!mayPull || kindOf(error) !== 'notFound' || !/No such image/i.test(messageOf(error))) throw error;
    const shown = withTag(plan.image);
    // The image of a mount is missing, and no container's image helps there.
    const mounted = (plan.request.HostConfig?.Mounts ?? []).filter(({ Type }) => Type === 'image');
    const isMounted = ({ Source = '' }) => messageOf(error).endsWith(`: ${withTag(Source)}`);
    if (mounted.some(isMounted) && !messageOf(error).endsWith(`: ${shown}`)) throw error;
    if (!quiet) session.err.line(`Unable to find image '${shown}' locally`);
    await pullImage(session, plan.image, { platform: plan.platform, quiet, to: session.err });
    return create(session, plan);
  }
}

function withTag(image: string): string {
  const { tag, digest } = splitReference(image);
  return tag === undefined && digest === undefined ? `${image}:latest` : image;
}

async function create(session: Session, { name, platform, request }: CreatePlan) {
  const json = (version: string) => forVersion(request, version);
  return perform(await session.client(), containerOperations.create, { query: { name, platform }, json });
}

/** Made before the container, so that a file that cannot be written costs nothing; removed again when left empty. */
function openCidFile(path: string): { write(id: string): void; close(): void } {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o644);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST')
      throw new EngineError('invalid', `failed to create the container ID file: ${messageOf(error)}`);
    throw new EngineError(
      'conflict',
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  return {
    write: id => void writeSync(descriptor, id),
    close: () => {
      closeSync(descriptor);
      if (statSync(path).size === 0) rmSync(path);
    },
  };
}
