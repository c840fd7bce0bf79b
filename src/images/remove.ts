import { canonicalName, parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { Digest } from '../oci/digest.ts';
import { EngineError } from '../stdx/errors.ts';
import { shortId } from './progress.ts';
import type { ReferenceRow } from './tables.ts';

/** A container made of an image. */
export interface ContainerUse {
  id: string;
  running: boolean;
}

/**
 * Docker lists images and layers alike as deleted; only images make events, an untagged one under its id, and a digest
 * that goes along with its tag none.
 */
export type RemoveResult =
  | { untagged: string; imageId: Digest; along: boolean }
  | { deleted: Digest; what: 'image' | 'layer' };

/** What the rules look at. */
export interface RemovalView {
  /** Sorted by text. */
  referencesOf(id: Digest): ReferenceRow[];
  childrenOf(id: Digest): Digest[];
  parentOf(id: Digest): Digest | undefined;
  containersOf(id: Digest): ContainerUse[];
}

export type RemovalStep =
  | { kind: 'untag'; name: string; suffix: string; along?: boolean }
  | { kind: 'delete'; imageId: Digest };

/**
 * What `docker rmi` does, decided by moby's rules (daemon/images/image_delete.go, ImageDelete):
 *
 * - By name: the name goes. With the last tag of a repository its digests go too, and with the last name the image,
 *   unless something needs it. Only a name whose loss leaves a used image nameless must be forced.
 * - By id: all names and the image go, unless the names are in several repositories.
 * - Untagged, unused parents of a deleted image go with it.
 *
 * @throws EngineError `conflict` in Docker's words.
 */
export function planRemoval(
  view: RemovalView,
  imageId: Digest,
  text: string,
  options: { force: boolean; noPrune: boolean },
): RemovalStep[] {
  const references = view.referencesOf(imageId);
  if (!isIdPrefix(imageId, text)) return planByName(view, imageId, text, references, options);
  const steps: RemovalStep[] = [];
  let left = references;
  if (isSingleReference(references)) {
    const conflict = conflictOf(view, imageId, references, { ...hard, stopped: !options.force });
    if (conflict !== undefined) throw conflict;
    steps.push(...references.map(untag));
    left = [];
  }
  return [...steps, ...planDelete(view, imageId, left, { ...options, quiet: false })];
}

function planByName(
  view: RemovalView,
  imageId: Digest,
  text: string,
  references: ReferenceRow[],
  options: { force: boolean; noPrune: boolean },
): RemovalStep[] {
  const [container] = view.containersOf(imageId);
  if (!options.force && isSingleReference(references) && container !== undefined) {
    throw new EngineError(
      'conflict',
      `conflict: unable to remove repository reference "${text}" (must force) - container ${shortId(container.id)} is using its referenced image ${shortId(imageId)}`,
    );
  }
  const reference = withDefaultTag(parseReference(text));
  const name = canonicalName(reference);
  const suffix = reference.digest === undefined ? `:${reference.tag}` : `@${reference.digest}`;
  const steps: RemovalStep[] = [{ kind: 'untag', name, suffix }];
  let left = references.filter(row => row.name !== name || row.suffix !== suffix);
  const keepsTag = left.some(row => row.name === name && isTag(row));
  if (reference.digest === undefined && !keepsTag) {
    steps.push(...left.filter(row => row.name === name).map(row => ({ ...untag(row), along: true })));
    left = left.filter(row => row.name !== name);
  }
  if (left.length > 0) return steps;
  return [...steps, ...planDelete(view, imageId, left, { ...options, quiet: true })];
}

/** moby's imageDeleteHelper. Quiet: an image that is needed stays, without an error. */
function planDelete(
  view: RemovalView,
  imageId: Digest,
  references: ReferenceRow[],
  options: { force: boolean; noPrune: boolean; quiet: boolean },
): RemovalStep[] {
  const soft = !options.force;
  const conflict = conflictOf(view, imageId, references, { ...hard, stopped: soft, referenced: soft });
  if (conflict !== undefined) {
    if (options.quiet) return [];
    throw conflict;
  }
  const steps: RemovalStep[] = [...references.map(untag), { kind: 'delete', imageId }];
  const parent = view.parentOf(imageId);
  if (options.noPrune || parent === undefined) return steps;
  const rest: RemovalView = {
    ...view,
    childrenOf: id => view.childrenOf(id).filter(child => child !== imageId),
  };
  return [...steps, ...planParent(rest, parent)];
}

/** A parent is pruned only when nothing at all needs it: neither names, nor children, nor containers. */
function planParent(view: RemovalView, parent: Digest): RemovalStep[] {
  const references = view.referencesOf(parent);
  if (conflictOf(view, parent, references, { ...hard, stopped: true, referenced: true }) !== undefined)
    return [];
  return planDelete(view, parent, references, { force: false, noPrune: false, quiet: true });
}

interface Checks {
  children: boolean;
  running: boolean;
  referenced: boolean;
  stopped: boolean;
}

/** What even --force does not overrule. */
const hard: Checks = { children: true, running: true, referenced: false, stopped: false };

function conflictOf(
  view: RemovalView,
  imageId: Digest,
  references: ReferenceRow[],
  checks: Checks,
): EngineError | undefined {
  if (checks.children && view.childrenOf(imageId).length > 0) {
    return conflict(imageId, 'cannot be forced', 'image has dependent child images');
  }
  const containers = view.containersOf(imageId);
  const running = containers.find(container => container.running);
  if (checks.running && running !== undefined) {
    const reason = `image is being used by running container ${shortId(running.id)}`;
    return conflict(imageId, 'cannot be forced', reason);
  }
  if (checks.referenced && references.length > 0) {
    return conflict(imageId, 'must be forced', 'image is referenced in multiple repositories');
  }
  const stopped = containers.find(container => !container.running);
  if (checks.stopped && stopped !== undefined) {
    const reason = `image is being used by stopped container ${shortId(stopped.id)}`;
    return conflict(imageId, 'must be forced', reason);
  }
  return undefined;
}

function conflict(imageId: Digest, force: string, reason: string): EngineError {
  return new EngineError('conflict', `conflict: unable to delete ${shortId(imageId)} (${force}) - ${reason}`);
}

function isIdPrefix(imageId: Digest, text: string): boolean {
  return imageId.startsWith(text) || imageId.startsWith(`sha256:${text}`);
}

/** One tag at most, and its digests all in the same repository (moby's isSingleReference). */
function isSingleReference(references: ReferenceRow[]): boolean {
  if (references.length <= 1) return true;
  const tags = references.filter(isTag);
  if (tags.length > 1) return false;
  const digestNames = new Set(references.filter(row => !isTag(row)).map(row => row.name));
  const [single] = tags.length === 1 ? tags : references;
  return digestNames.size === 1 && digestNames.has(single!.name);
}

function isTag(row: ReferenceRow): boolean {
  return row.suffix.startsWith(':');
}

function untag(row: ReferenceRow): RemovalStep {
  return { kind: 'untag', name: row.name, suffix: row.suffix };
}
