import type { Digest } from '../oci/digest.ts';
import { isDigest } from '../oci/digest.ts';
import { EngineError } from '../stdx/errors.ts';

/** The name of an image in a registry, with its defaults filled in. */
export interface Reference {
  /** `docker.io` when none was written; otherwise host, or host:port. */
  registry: string;
  /** `library/` is put before Docker Hub's one-part names. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

const defaultRegistry = 'docker.io';

/**
 * Reads a reference as Docker's client and daemon do (distribution/reference, ParseNormalizedNamed):
 *
 *     [registry[:port]/]repository[:tag][@digest]
 *
 * The first part is a registry when it holds a dot, a colon or an upper-case letter, or is `localhost`.
 *
 * @throws EngineError `invalid` in Docker's words.
 */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { registry, remainder } = splitRegistry(text);
  const match = remainderPattern.exec(remainder);
  if (match === null || !registryPattern.test(registry)) throw malformed(remainder);
  const repository = match[1]!;
  if (registry.length + 1 + repository.length > 255) {
    throw invalid('invalid reference format: repository name must not be more than 255 characters');
  }
  const reference: Reference = { registry, repository };
  if (match[2] !== undefined) reference.tag = match[2];
  if (match[3] !== undefined) {
    if (!isDigest(match[3])) throw invalid('invalid reference format: unsupported digest algorithm');
    reference.digest = match[3];
  }
  return reference;
}

/** The same reference with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: 'latest' };
}

/** Registry and repository as they are stored: `docker.io/library/busybox`. */
export function canonicalName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** Registry and repository as Docker shows them: `busybox`, `localhost:5000/me/app`. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== defaultRegistry) return canonicalName(reference);
  const { repository } = reference;
  const bare = repository.startsWith('library/') ? repository.slice('library/'.length) : repository;
  return bare.includes('/') && bare !== repository ? repository : bare;
}

/** The whole reference as Docker shows it: `busybox:latest`, `me/app@sha256:…`. */
export function familiarText(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${familiarName(reference)}${tag}${digest}`;
}

function splitRegistry(text: string): { registry: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isRegistry =
    slash !== -1 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let registry = isRegistry ? first : defaultRegistry;
  let remainder = isRegistry ? text.slice(slash + 1) : text;
  if (registry === 'index.docker.io') registry = defaultRegistry;
  if (registry === defaultRegistry && !remainder.includes('/')) remainder = `library/${remainder}`;
  return { registry, remainder };
}

function malformed(remainder: string): EngineError {
  const repository = remainder.replace(/[:@].*$/s, '');
  const lowered = repository.toLowerCase();
  return lowered !== repository && remainderPattern.test(lowered)
    ? invalid('invalid reference format: repository name must be lowercase')
    : invalid('invalid reference format');
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}

/* distribution/reference, regexp.go. */
const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const registryPattern = new RegExp(
  `^(?:${domainPart}(?:\\.${domainPart})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?$`,
);
const pathPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const tagText = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const digestText = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const remainderPattern = new RegExp(
  `^(${pathPart}(?:/${pathPart})*)(?::(${tagText}))?(?:@(${digestText}))?$`,
);
