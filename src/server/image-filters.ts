import type { Image } from '../images/store.ts';
import { EngineError } from '../stdx/errors.ts';
import { GoRegexp } from '../stdx/go-regexp/go-regexp.ts';
import type { Call } from './call.ts';
import { Filters } from './filters.ts';

const known = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

/**
 * The images `docker images` shall show, newest first (moby, daemon/images/images.go).
 * @throws EngineError `invalid` for unknown filters and values, `notFound` for `before` and `since` of nothing
 */
export function selectImages(call: Call): Image[] {
  const { imageStore } = call.engine;
  const filters = Filters.read(call.query, known);
  const all = call.query.flag('all');
  const dangling = filters.flag('dangling');
  const before = filters.values('before').map(ref => imageStore.resolve(ref).createdMs);
  const since = filters.values('since').map(ref => imageStore.resolve(ref).createdMs);
  const untilMs = filters.untilMs();
  // Before 1.41 `filter` was the reference pattern.
  const oldFilter = call.atLeast('1.41') ? '' : call.query.text('filter');
  const patterns = [...filters.values('reference'), ...(oldFilter === '' ? [] : [oldFilter])].map(globOf);
  return imageStore.list().flatMap(image => {
    const named = image.references.length > 0 || image.digests.length > 0;
    // Nameless parents of other images are a builder's steps.
    if (!named && !all && imageStore.childrenOf(image.id).length > 0) return [];
    if (dangling === true && image.references.length > 0) return [];
    if (dangling === false && !named) return [];
    if (!filters.labels('label', image.config.config?.Labels ?? {})) return [];
    if (!before.every(ms => image.createdMs < ms) || !since.every(ms => image.createdMs > ms)) return [];
    if (untilMs !== undefined && image.createdMs >= untilMs) return [];
    return patterns.length === 0 ? [image] : withNames(image, patterns);
  });
}

/** The image with the names that fit one of the patterns; nothing when none does. */
function withNames(image: Image, patterns: readonly GoRegexp[]): Image[] {
  const fits = (name: string) => patterns.some(pattern => pattern.fits(name) || pattern.fits(bareName(name)));
  const references = image.references.filter(fits);
  const digests = image.digests.filter(fits);
  return references.length === 0 && digests.length === 0 ? [] : [{ ...image, references, digests }];
}

/** Without tag or digest. */
function bareName(name: string): string {
  return name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** Go's path.Match: `*` and `?` stop at slashes, `[...]` is a class. @throws EngineError `invalid` */
function globOf(pattern: string): GoRegexp {
  const body = pattern.replaceAll(/\[[^\]]*\]|[*?]|[.+^${}()|\\[\]]/g, part => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.length > 1 ? part : `\\${part}`;
  });
  try {
    return new GoRegexp(`^${body}$`);
  } catch (error) {
    throw new EngineError('invalid', `invalid filter 'reference=${pattern}'`, { cause: error });
  }
}
