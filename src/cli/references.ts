import { EngineError } from '../stdx/errors.ts';

/** A reference's parts as they are written; nothing is added. */
export interface ReferenceParts {
  repository: string;
  tag?: string;
  digest?: string;
}

export function splitReference(text: string): ReferenceParts {
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const name = at === -1 ? text : text.slice(0, at);
  const colon = name.lastIndexOf(':');
  // A colon before a slash is a registry's port.
  if (colon === -1 || name.indexOf('/', colon) !== -1) return { repository: name, digest };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1), digest };
}

/** The registry a repository is on, by the name credentials are kept under. */
export function registryOf(repository: string): string {
  const slash = repository.indexOf('/');
  const host = slash === -1 ? '' : repository.slice(0, slash);
  return host === 'localhost' || /[.:]/.test(host) ? host : 'https://index.docker.io/v1/';
}

/** With its registry, and the tag `latest` where none is said; a digest says more than a tag. */
export function fullReference(text: string): string {
  const { repository, tag, digest } = splitReference(text);
  const isHub = registryOf(repository).startsWith('https://');
  const full = isHub ? `docker.io/${repository.includes('/') ? '' : 'library/'}${repository}` : repository;
  return digest === undefined ? `${full}:${tag ?? 'latest'}` : `${full}@${digest}`;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domain =
  '(?:\\[[0-9a-fA-F:]+\\]|[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*(?:\\.[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*)*)(?::[0-9]+)?';
const referencePattern = new RegExp(
  `^${domain}(?:/${component})+(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);

/**
 * Refuses what is no name of an image, before anything is asked of the daemon: docker does, so its words say who refused.
 * @throws invalid
 */
export function checkReference(text: string): void {
  if (/^[0-9a-f]{64}$/.test(text))
    throw new EngineError(
      'invalid',
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const named = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  const host = named ? first : 'docker.io';
  const remainder = named ? text.slice(slash + 1) : slash === -1 ? `library/${text}` : text;
  const remote = remainder.split(':', 1)[0]!;
  if (remote !== remote.toLowerCase())
    throw new EngineError(
      'invalid',
      `invalid reference format: repository name (${remote}) must be lowercase`,
    );
  if (!referencePattern.test(`${host}/${remainder}`))
    throw new EngineError('invalid', 'invalid reference format');
}

/** As checkReference; an image's id is as good. */
export function checkReferenceOrId(text: string): void {
  if (!/^(sha256:)?[0-9a-f]{64}$/.test(text)) checkReference(text);
}
