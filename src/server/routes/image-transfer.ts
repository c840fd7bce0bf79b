import type { Readable } from 'node:stream';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { registryAuth } from '../convert/shapes.ts';
import { platformOf } from '../platform-query.ts';
import { ProgressStream } from '../progress-stream.ts';
import { credentialsFromWire, credentialsOf } from '../registry-credentials.ts';
import { sendTar } from '../tar-answer.ts';

/** Images to and from registries, tar files and the distribution's packages. */
export const imageTransferRoutes: readonly Route[] = [
  { method: 'POST', path: '/images/create', handler: create },
  { method: 'POST', path: '/images/{name...}/push', handler: push },
  { method: 'POST', path: '/images/load', handler: load },
  { method: 'GET', path: '/images/get', handler: saveMany },
  { method: 'GET', path: '/images/{name...}/get', handler: saveOne },
  { method: 'POST', path: '/auth', handler: login },
  { method: 'POST', path: '/gantry/images/bootstrap', handler: bootstrap },
];

/** `docker pull` and `docker import` share a path. */
async function create(call: Call): Promise<void> {
  if (call.query.text('fromImage') !== '') await pull(call);
  else if (call.query.text('fromSrc') !== '') await importImage(call);
  else throw new EngineError('invalid', 'one of fromImage and fromSrc is required');
}

async function pull(call: Call): Promise<void> {
  const { query } = call;
  const image = query.text('fromImage');
  const tag = query.text('tag');
  const reference = tag === '' ? image : tag.includes(':') ? `${image}@${tag}` : `${image}:${tag}`;
  const hasSuffix = /[:@][^/]*$/.test(image);
  const stream = new ProgressStream(call);
  await stream.carry(() =>
    call.engine.images.pull(
      reference,
      {
        platform: query.optional('platform'),
        // Clients that want one tag say so; `docker pull` fills in latest.
        allTags: tag === '' && !hasSuffix,
        credentials: credentialsOf(call),
      },
      stream.progress,
      call.signal,
    ),
  );
}

async function importImage(call: Call): Promise<void> {
  const { query } = call;
  const source = query.text('fromSrc');
  const stream = new ProgressStream(call);
  await stream.carry(async () => {
    let tar: Readable = call.request;
    if (source !== '-') {
      stream.send({ status: `Downloading from ${source}` });
      tar = await call.engine.builder.fetchUrl(source, call.signal);
    }
    const { imageId } = await call.engine.images.import(
      tar,
      {
        repository: query.optional('repo'),
        tag: query.optional('tag'),
        message: query.optional('message'),
        changes: query.all('changes'),
        platform: query.optional('platform'),
      },
      call.signal,
    );
    stream.send({ status: imageId });
  });
}

async function push(call: Call): Promise<void> {
  const { query } = call;
  const tag = query.text('tag');
  const name = call.param('name');
  const platform = platformOf(call);
  const stream = new ProgressStream(call);
  await stream.carry(() =>
    call.engine.images.push(
      tag === '' ? name : `${name}:${tag}`,
      {
        credentials: credentialsOf(call),
        allTags: tag === '' && !/:[^/]*$/.test(name),
        ...(platform === undefined ? {} : { platform }),
      },
      stream.progress,
      call.signal,
    ),
  );
}

async function load(call: Call): Promise<void> {
  const platform = platformOf(call);
  const stream = new ProgressStream(call);
  // dockerd tells everything about a load in the stream (api/server/router/image, postImagesLoad).
  stream.open();
  await stream.carry(async () => {
    const { lines } = await call.engine.images.load(
      call.request,
      { quiet: call.query.flag('quiet'), ...(platform === undefined ? {} : { platform }) },
      stream.progress,
      call.signal,
    );
    for (const line of lines) stream.send({ stream: `${line}\n` });
  });
}

async function saveMany(call: Call): Promise<void> {
  const names = call.query.all('names').flatMap(text => text.split(','));
  if (names.length === 0) throw new EngineError('invalid', 'missing parameter in form: names');
  await save(call, names);
}

async function saveOne(call: Call): Promise<void> {
  await save(call, [call.param('name')]);
}

async function save(call: Call, names: string[]): Promise<void> {
  await sendTar(call, await call.engine.images.save(names, platformOf(call)));
}

async function login(call: Call): Promise<void> {
  const body = await call.body(registryAuth, 'AuthConfig', { required: true });
  const { status, identityToken } = await call.engine.images.login(credentialsFromWire(body), call.signal);
  call.json({ Status: status, IdentityToken: identityToken });
}

async function bootstrap(call: Call): Promise<void> {
  const spec = call.query.text('image');
  if (spec === '') throw new EngineError('invalid', 'missing parameter in form: image');
  const stream = new ProgressStream(call);
  await stream.carry(async () => {
    const { imageId } = await call.engine.images.bootstrap(spec, stream.progress, call.signal);
    stream.send({ aux: { ID: imageId } });
  });
}
