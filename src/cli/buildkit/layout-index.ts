import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import { plainReason } from '../streams.ts';

const tagAnnotation = 'org.opencontainers.image.ref.name';
const nameAnnotation = 'io.containerd.image.name';

interface Descriptor {
  mediaType?: string;
  digest: string;
  size?: number;
  annotations?: Record<string, string>;
}

/** The manifest that an OCI layout's index has for a tag. @throws EngineError `notFound` with the reason */
export function digestOfTag(directory: string, tag: string): string | undefined {
  const { manifests = [] } = readIndex(directory);
  const named = manifests.find(({ annotations = {} }) =>
    [annotations[tagAnnotation], annotations[nameAnnotation]].includes(tag),
  );
  return named?.digest;
}

/** As digestOfTag; where there is but one manifest it is meant, whatever it is called. */
export function digestOfImage(directory: string, tag: string): string | undefined {
  const { manifests = [] } = readIndex(directory);
  return digestOfTag(directory, tag) ?? (manifests.length === 1 ? manifests[0]!.digest : undefined);
}

/** Notes a manifest that is among the blobs under a tag. */
export function putTag(directory: string, tag: string, descriptor: Descriptor): void {
  let before: Descriptor[] = [];
  try {
    before = readIndex(directory).manifests ?? [];
  } catch {
    // There is none, or nothing that could be gone on with.
  }
  const manifests = [
    ...before.filter(({ annotations }) => annotations?.[tagAnnotation] !== tag),
    { ...descriptor, annotations: { ...descriptor.annotations, [tagAnnotation]: tag } },
  ];
  mkdirSync(directory, { recursive: true });
  writeAside(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  writeAside(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

function readIndex(directory: string): { manifests?: Descriptor[] } {
  const path = join(directory, 'index.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { manifests?: Descriptor[] };
  } catch (error) {
    throw new EngineError('notFound', `could not read ${path}: open ${path}: ${plainReason(error)}`);
  }
}

function writeAside(path: string, text: string): void {
  const aside = `${path}.${randomUUID()}`;
  writeFileSync(aside, text);
  renameSync(aside, path);
}
