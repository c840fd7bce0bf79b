import { bytesMessage, type exporterMessage } from '../../api/buildkit/control.ts';
import { exporterIdHeader, exporterMetadataPrefix, fileSendService } from '../../api/buildkit/filesync.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Services } from '../call.ts';
import type { RunningBuild } from './builds.ts';
import { readCredentials } from './session-services.ts';
import type { BuildSession } from './sessions.ts';
import type { Task } from './vertices.ts';

export type Exporter = MessageOf<typeof exporterMessage>;

interface Export {
  imageId: string;
  attributes: ReadonlyMap<string, string>;
  /** Position among the exporters of the build. */
  index: number;
  build: RunningBuild;
  session: BuildSession;
  services: Services;
  signal: AbortSignal;
}

/** Hands a finished image to where the client wants it. @returns what the client is told of it */
export async function exportImage(exporter: Exporter, work: Export): Promise<Record<string, string>> {
  const { vertices } = work.build;
  const { type } = exporter;
  switch (type) {
    // `moby` is how buildx calls the image store of the daemon.
    case 'moby':
    case 'image':
      refuseUnknown(exporter, imageAttributes);
      return vertices.task('exporting to image', task => keepImage(work, task));
    case 'docker':
      refuseUnknown(exporter, archiveAttributes);
      return vertices.task('exporting to docker image format', task => sendArchive(work, task));
    default:
      throw new EngineError('notImplemented', `exporter ${type} is not supported`);
  }
}

/** Attributes that have a meaning here, or none for images of Docker's kind. */
const imageAttributes = new Set([
  'name',
  'push',
  'unpack',
  'store',
  'name-canonical',
  'dangling-name-prefix',
]);
const archiveAttributes = new Set(['name', 'tar', 'dest', 'context']);

function refuseUnknown({ type, attributes }: Exporter, known: ReadonlySet<string>): void {
  for (const name of attributes.keys()) {
    if (!known.has(name)) {
      throw new EngineError('notImplemented', `option ${name} of exporter ${type} is not supported`);
    }
  }
}

async function keepImage(work: Export, task: Task): Promise<Record<string, string>> {
  const { imageId, attributes, services, session, signal } = work;
  const { images } = services.engine;
  task.status(`writing image ${imageId}`, { done: true });
  const names = namesOf(attributes);
  for (const name of names) {
    await images.tag(imageId, name);
    task.status(`naming to ${canonicalName(name)}`, { done: true });
  }
  if (attributes.get('push') === 'true') {
    for (const name of names) {
      task.status(`pushing ${canonicalName(name)}`);
      const credentials = await readCredentials(session, registryOf(name), signal);
      await images.push(name, { credentials }, () => {}, signal);
      task.status(`pushing ${canonicalName(name)}`, { done: true });
    }
  }
  return response(imageId, attributes);
}

/** As `docker save` writes it. */
async function sendArchive(work: Export, task: Task): Promise<Record<string, string>> {
  const { imageId, attributes, services, index, session, signal } = work;
  const names = namesOf(attributes);
  // `docker load` takes the names from the archive, which has those that the image has.
  for (const name of names) await services.engine.images.tag(imageId, name);
  const tar = await services.engine.images.save(names.length === 0 ? [imageId] : names);
  let sentBytes = 0;
  const metadata = new Map([[exporterIdHeader, [String(index)]]]);
  const answer = response(imageId, attributes);
  for (const [name, value] of Object.entries(answer)) metadata.set(exporterMetadataPrefix + name, [value]);
  const exchange = session.connection.call(fileSendService.file.path, { metadata, signal });
  task.status('sending tarball');
  for await (const data of tar as AsyncIterable<Buffer>) {
    await exchange.send(bytesMessage.encode({ data }));
    sentBytes += data.length;
  }
  exchange.end();
  for await (const _ of exchange.messages);
  task.status('sending tarball', { current: sentBytes, done: true });
  return answer;
}

function response(imageId: string, attributes: ReadonlyMap<string, string>): Record<string, string> {
  const names = namesOf(attributes);
  return {
    'containerimage.digest': imageId,
    'containerimage.config.digest': imageId,
    ...(names.length === 0 ? {} : { 'image.name': names.map(canonicalName).join(',') }),
  };
}

function namesOf(attributes: ReadonlyMap<string, string>): string[] {
  return (attributes.get('name') ?? '').split(',').filter(name => name !== '');
}

/** `docker.io/library/web:latest` for `web`. */
function canonicalName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasRegistry ? rest.join('/') : name;
  const registry = hasRegistry ? first : 'docker.io';
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  return `${registry}/${repository}${/[:@][^/]*$/.test(path) ? '' : ':latest'}`;
}

function registryOf(name: string): string {
  return canonicalName(name).split('/')[0]!;
}
