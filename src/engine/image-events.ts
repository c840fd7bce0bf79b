import { familiarName, familiarText, type Reference } from '../distribution/reference.ts';
import type { EngineContext } from './context.ts';

/** Publishes an event about an image with the attributes Docker gives: every label, and `name`. */
export function publishImageEvent(
  context: Pick<EngineContext, 'events' | 'images'>,
  action: string,
  ref: string,
  name: string,
): void {
  context.events.publish('image', action, ref, { ...imageLabels(context, ref), name });
}

/** A pulled or pushed image goes by its name with the tag, and is called by the name of its repository. */
export function publishTransfer(
  context: Pick<EngineContext, 'events' | 'images'>,
  action: 'pull' | 'push',
  reference: Reference,
): void {
  publishImageEvent(context, action, familiarText(reference), familiarName(reference));
}

/** None when there is no such image. */
export function imageLabels(context: Pick<EngineContext, 'images'>, ref: string): Record<string, string> {
  return context.images.find(ref)?.config.config?.Labels ?? {};
}
