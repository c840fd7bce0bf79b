import { canonicalName, familiarName, parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { Platform } from '../oci/image.ts';
import { platformText } from './platform.ts';
import type { Image } from './store.ts';

/** `pkg:docker/team/app@1.2?platform=linux%2Famd64` (package-url's specification, type docker). */
export function imageUrl(text: string, platform: Platform): string {
  const reference = withDefaultTag(parseReference(text));
  const path = familiarName(reference).split('/').map(encodeURIComponent).join('/');
  const version = reference.tag === undefined ? '' : `@${encodeURIComponent(reference.tag)}`;
  const pinned = reference.digest === undefined ? '' : `digest=${reference.digest}&`;
  return `pkg:docker/${path}${version}?${pinned}platform=${encodeURIComponent(platformText(platform))}`;
}

/** The same of type oci, for an image that nobody else has a name for. */
export function layoutUrl(digest: string, platform: Platform): string {
  return `pkg:oci/layout?digest=${digest}&platform=${encodeURIComponent(platformText(platform))}`;
}

/** By which a name's registry knows the image; of an image that is in none, its id. */
export function digestUnder(reference: string, { id, digests }: Image): string {
  const repository = canonicalName(parseReference(reference));
  const known = digests.find(text => canonicalName(parseReference(text)) === repository);
  return known === undefined ? id : known.slice(known.indexOf('@') + 1);
}
