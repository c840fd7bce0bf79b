import { canonicalName, familiarText, parseReference, withDefaultTag } from '../distribution/reference.ts';

/** One tag in the forms that archives have it. */
export interface WrittenName {
  /** `docker.io/library/app:latest` */
  canonical: string;
  /** `app:latest` */
  familiar: string;
  /** `latest` */
  tag: string;
}

/** @throws EngineError `invalid` in Docker's words */
export function writtenName(text: string): WrittenName {
  const reference = withDefaultTag(parseReference(text));
  const tag = reference.tag ?? '';
  return { canonical: `${canonicalName(reference)}:${tag}`, familiar: familiarText(reference), tag };
}
