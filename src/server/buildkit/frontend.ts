import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { bytesMessage } from '../../api/buildkit/control.ts';
import type { definitionMessage } from '../../api/buildkit/ops.ts';
import { uploadService } from '../../api/buildkit/session.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import type { BroughtContext, BuildRequest, NamedContext } from '../../build/request.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import type { KeptContext } from '../build-contexts.ts';
import type { Services } from '../call.ts';
import { isRepositoryUrl, openRemoteContext } from '../remote-context.ts';
import { gantryVersion } from '../versions.ts';
import { SshAgents } from './agents.ts';
import type { RunningBuild } from './builds.ts';
import { toGrpcError } from './errors.ts';
import { exportsTo } from './exporters.ts';
import { type FrontendContext, type FrontendPlan, planFrontend } from './frontend-options.ts';
import { ignorePatterns } from './ignore-patterns.ts';
import { uploadRemote } from './one-request.ts';
import { askForSmallFiles, digestOfDirectory, receiveDirectory, receiveSmallFiles } from './receive-files.ts';
import { imageOfDefinition } from './references.ts';
import { SessionCaches } from './session-caches.ts';
import { SessionContent } from './session-content.ts';
import { readCredentials, readSecret } from './session-services.ts';
import type { BuildSession, BuildSessions } from './sessions.ts';
import { answerSubrequest, checkSubrequest, needsFiles } from './subrequests.ts';

/** Files to build from, or where the daemon gets them. */
type OpenedContext = Partial<BroughtContext> & { url?: string };

export interface FrontendRequest {
  /** `dockerfile.v0`, or `gateway.v0` with a frontend's image in the options. */
  frontend: string;
  options: ReadonlyMap<string, string>;
  /** Results of other builds, by the names that the options have for them. */
  inputs: ReadonlyMap<string, MessageOf<typeof definitionMessage>>;
}

/** What a frontend made: an image, or answers to a question. */
export interface FrontendResult {
  imageId?: string;
  /** Of the exporters. */
  answer?: Record<string, string>;
  metadata: Map<string, Buffer>;
}

/**
 * BuildKit's Dockerfile frontend: brings the Dockerfile and the context over from the client and builds.
 * Images of frontends (`# syntax=docker/dockerfile:1`) are not run: the language is the daemon's own.
 */
export async function runFrontend(
  request: FrontendRequest,
  build: RunningBuild,
  sessions: BuildSessions,
  services: Services,
  signal: AbortSignal,
): Promise<FrontendResult> {
  const session = await sessions.get(build.sessionId, signal);
  refuseOtherFrontends(request);
  const plan = planFrontend(request.options);
  checkSubrequest(plan.subrequest);
  build.vertices.explains = plan.explain;
  const files = new FrontendFiles(plan.context, build, session, sessions, services, signal);
  const caches = new SessionCaches(session);
  const agents = new SshAgents(session, services.engine.storage.paths.buildContexts, signal);
  let dockerfileText: string | undefined;
  try {
    const isBuild = plan.subrequest === '';
    const dockerfile = needsFiles(plan.subrequest) ? await files.dockerfile() : { text: '', ignore: '' };
    dockerfileText = dockerfile?.text;
    const contexts = await files.namedContexts(request.inputs);
    // With the Dockerfile at hand the context can wait: a faulty one needs none, and many have no use for it.
    const waits = isBuild && dockerfile !== undefined && plan.context.remote === '';
    const needsContext = isBuild ? !waits : dockerfile === undefined;
    const { directory, url }: OpenedContext = needsContext ? await files.context() : {};
    const buildRequest: BuildRequest = {
      ...plan.request,
      ...(directory === undefined ? {} : { contextDirectory: directory }),
      ...(url === undefined ? {} : { contextUrl: url }),
      ...(waits ? { bringContext: () => files.localContext() } : {}),
      dockerfile: plan.context.filename,
      ...(dockerfile === undefined ? {} : { dockerfileText: dockerfile.text, ignoreText: dockerfile.ignore }),
      contexts,
      tags: [],
      exports: [
        ...exportsTo(build.exporters, { session, vertices: build.vertices, signal }),
        ...build.references.exports(),
      ],
      cacheFrom: plan.request.cacheFrom.map(endpoint => caches.source(endpoint)),
      cacheTo: build.cacheTo.map(endpoint => caches.destination(endpoint)),
      entitlements: build.entitlements,
      ...attested(request, plan, build),
      secrets: id => readSecret(session, id, signal),
      ssh: id => agents.get(id),
      credentials: {},
      askCredentials: registry => readCredentials(session, registry, signal),
    };
    const { vertices } = build;
    const { builder } = services.engine;
    if (!isBuild) return await answerSubrequest(plan.subrequest, builder, buildRequest, vertices, signal);
    if (build.exporters.some(({ type }) => type === 'moby' || type === 'image')) vertices.expectImage();
    const { imageId, answer } = await builder.build(buildRequest, vertices, signal);
    vertices.imageDone();
    build.references.made(imageId);
    return { imageId, answer: { ...answer, ...caches.answer }, metadata: new Map() };
  } catch (error) {
    build.vertices.imageDone(error);
    throw toGrpcError(error, dockerfileText);
  } finally {
    await agents.close();
    await files.close();
  }
}

/** What the result is to say of itself, and what of it only the server knows. */
function attested(
  { frontend, options }: FrontendRequest,
  { attestations, context }: FrontendPlan,
  { ref }: RunningBuild,
): Pick<BuildRequest, 'attestations'> {
  if (attestations.provenance === undefined && attestations.sbom === undefined) return {};
  // What comes by the session is the client's, also when it is named as a URL.
  const isClients = context.remote === '' || /^https?:\/\/buildkit-session\//.test(context.remote);
  const remote = isClients ? {} : { remote: context.remote };
  const locals = isClients ? ['context', 'dockerfile'] : context.dockerfileIsApart ? ['dockerfile'] : [];
  const parameters = {
    frontend,
    args: options,
    invocationId: ref,
    locals,
    ...remote,
    dockerfile: context.filename,
  };
  return { attestations: { ...attestations, parameters, version: gantryVersion } };
}

function refuseOtherFrontends({ frontend, options }: FrontendRequest): void {
  if (frontend === 'dockerfile.v0') return;
  const source = options.get('source') ?? '';
  const isOurs = /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@].*)?$/.test(source);
  if (frontend === 'gateway.v0' && isOurs) return;
  const named = frontend === 'gateway.v0' ? `${frontend} with ${source}` : frontend;
  throw new EngineError('notImplemented', `frontend ${named} is not supported`);
}

/** Each undefined when there is none. */
interface Definition {
  text: Buffer | undefined;
  ownIgnore: Buffer | undefined;
  contextIgnore(): Promise<Buffer | undefined>;
}

/** What a build has of its client's files. */
class FrontendFiles {
  readonly #plan: FrontendContext;
  readonly #build: RunningBuild;
  readonly #session: BuildSession;
  readonly #sessions: BuildSessions;
  readonly #services: Services;
  readonly #signal: AbortSignal;
  readonly #removers: (() => Promise<void>)[] = [];
  #kept: KeptContext[] = [];
  #ignore: string | undefined;
  #context: Promise<BroughtContext> | undefined;
  readonly #stop = new AbortController();

  constructor(
    plan: FrontendContext,
    build: RunningBuild,
    session: BuildSession,
    sessions: BuildSessions,
    services: Services,
    signal: AbortSignal,
  ) {
    this.#sessions = sessions;
    this.#plan = plan;
    this.#build = build;
    this.#session = session;
    this.#services = services;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** undefined: it is in a context that does not come from the client's disk. */
  async dockerfile(): Promise<{ text: string; ignore: string } | undefined> {
    const { filename, remote } = this.#plan;
    if (remote !== '' && !this.#plan.dockerfileIsApart) return undefined;
    const { vertices } = this.#build;
    const path = posix.normalize(filename);
    const name = `[internal] load build definition from ${posix.basename(filename)}`;
    const found = await vertices.task(name, async task => {
      const { text, ownIgnore, contextIgnore } = await this.#definition(path);
      if (text === undefined) {
        throw new EngineError(
          'notFound',
          `failed to read dockerfile: open ${filename}: no such file or directory`,
        );
      }
      task.status('transferring dockerfile:', { current: text.length, done: true });
      return { text: text.toString('utf8'), ignore: ownIgnore?.toString('utf8'), contextIgnore };
    });
    if (remote !== '') return { text: found.text, ignore: '' };
    this.#ignore =
      found.ignore ??
      (await vertices.task('[internal] load .dockerignore', async task => {
        const text = await found.contextIgnore();
        task.status('transferring context:', { current: text?.length ?? 2, done: true });
        return text?.toString('utf8') ?? '';
      }));
    return { text: found.text, ignore: this.#ignore };
  }

  /** The Dockerfile, the ignore file beside it, and the context's. */
  async #definition(path: string): Promise<Definition> {
    const { dockerfileKey, contextKey, remote } = this.#plan;
    const ownName = `${path}.dockerignore`;
    const session = await this.#sessionOf(dockerfileKey);
    const isWhole = remote === '' && session === (await this.#sessionOf(contextKey));
    const asked = [
      { directory: dockerfileKey, name: path },
      { directory: dockerfileKey, name: ownName },
      { directory: contextKey, name: '.dockerignore' },
    ];
    const told = isWhole ? await askForSmallFiles(session, asked, this.#signal) : undefined;
    if (told !== undefined) {
      const [text, ownIgnore, ignore] = told;
      return { text, ownIgnore, contextIgnore: async () => ignore };
    }
    const files = await this.#smallFiles(dockerfileKey, [path, ownName]);
    return {
      text: files.get(path),
      ownIgnore: files.get(ownName),
      contextIgnore: async () => (await this.#smallFiles(contextKey, ['.dockerignore'])).get('.dockerignore'),
    };
  }

  context(): Promise<OpenedContext> {
    const { remote } = this.#plan;
    return remote === '' ? this.localContext() : this.#remoteContext(remote);
  }

  /** From the client's disk. */
  localContext(): Promise<BroughtContext> {
    this.#context ??= this.#bringContext();
    return this.#context;
  }

  async #bringContext(): Promise<BroughtContext> {
    const { contextKey } = this.#plan;
    const { vertices } = this.#build;
    return vertices.task('[internal] load build context', async task => {
      const { directory, receivedBytes, memory } = await this.#directory(
        contextKey,
        ignorePatterns(this.#ignore ?? ''),
      );
      task.status('transferring context:', { current: receivedBytes, done: true });
      return { directory, memory };
    });
  }

  async namedContexts(inputs: FrontendRequest['inputs']): Promise<Record<string, NamedContext>> {
    const contexts: [string, NamedContext][] = [];
    for (const [name, value] of this.#plan.named) {
      // `name::linux/amd64` is the same for one platform.
      contexts.push([name.replace(/::.*$/, ''), await this.#namedContext(name, value, inputs)]);
    }
    return Object.fromEntries(contexts);
  }

  async #namedContext(name: string, value: string, inputs: FrontendRequest['inputs']): Promise<NamedContext> {
    const [, kind = '', rest = ''] = /^(docker-image:\/\/|local:|input:|oci-layout:\/\/|)(.*)$/s.exec(value)!;
    switch (kind) {
      case 'docker-image://':
        return { type: 'image', reference: rest };
      case 'input:': {
        const input = inputs.get(rest);
        if (input === undefined) throw new EngineError('invalid', `no input ${rest} for context ${name}`);
        return { type: 'image', reference: imageOfDefinition(input) };
      }
      case 'local:':
        return this.#build.vertices.task(`[context ${name}] load from client`, async task => {
          const ignore = (await this.#smallFiles(rest, ['.dockerignore'])).get('.dockerignore');
          const patterns = ignorePatterns(ignore?.toString('utf8') ?? '');
          const { directory, receivedBytes, memory } = await this.#directory(rest, patterns);
          task.status(`transferring ${name}:`, { current: receivedBytes, done: true });
          return { type: 'directory', directory, memory };
        });
      case 'oci-layout://':
        return this.#layout(name, rest, value);
      default:
        if (/^(https?|git|ssh):\/\/|^git@/.test(value)) return { type: 'git', url: value };
        throw new EngineError('invalid', `build context ${name}: ${value} is not understood`);
    }
  }

  /** @param place `store:tag@digest`: which manifest the tag means, the client has looked up */
  #layout(name: string, place: string, value: string): NamedContext {
    const [, store, digest] = /^([^:@]+)(?::[^@]+)?@(sha256:[0-9a-f]{64})$/.exec(place) ?? [];
    if (store === undefined)
      throw new EngineError('invalid', `build context ${name}: ${value} is not understood`);
    const content = new SessionContent(this.#session, `oci:${store}`);
    const { images } = this.#services.engine;
    const brought = new Map<string, Promise<Digest>>();
    const bring = async (platform: Platform, signal: AbortSignal): Promise<Digest> => {
      const { imageId, release } = await this.#build.vertices.task(
        `[context ${name}] OCI load from client`,
        () => images.borrow(content, digest as Digest, platform, signal),
      );
      this.#removers.push(release);
      return imageId;
    };
    return {
      type: 'image',
      reference: value,
      bring: (platform, signal) => {
        const key = JSON.stringify(platform);
        let image = brought.get(key);
        if (image === undefined) {
          image = bring(platform, signal);
          brought.set(key, image);
        }
        return image;
      },
    };
  }

  /** Nothing more is needed. A step that failed did not wait for the context to come. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#context]);
    for (const kept of this.#kept.splice(0)) await kept.keep();
    for (const remove of this.#removers.splice(0)) await remove();
  }

  /** Builds that share a directory (of bake) share a session for it. */
  async #sessionOf(directory: string): Promise<BuildSession> {
    const id = this.#plan.sessions.get(directory);
    return id === undefined ? this.#session : this.#sessions.get(id, this.#signal);
  }

  async #smallFiles(directory: string, paths: string[]): Promise<Map<string, Buffer>> {
    const session = await this.#sessionOf(directory);
    return receiveSmallFiles(session, directory, paths, this.#signal);
  }

  async #directory(
    name: string,
    exclude: string[],
  ): Promise<Required<BroughtContext> & { receivedBytes: number }> {
    const { contexts, engine } = this.#services;
    const session = await this.#sessionOf(name);
    const { sharedKey, id } = session;
    const key = JSON.stringify([sharedKey === '' ? id : sharedKey, name, exclude]);
    const context = await contexts.take(key);
    const { directory, memory } = context;
    let tree = memory.tree ?? engine.builder.newMemory();
    let root: ConfinedRoot | undefined;
    const open = async () => {
      memory.list = undefined;
      tree = tree.afterChange();
      root = await engine.storage.confine(directory);
      return root;
    };
    try {
      const selection = { directory: name, exclude };
      const digest = await digestOfDirectory(session, selection, this.#signal);
      let receivedBytes = 0;
      if (memory.list === undefined || digest === undefined || memory.digest?.equals(digest) !== true) {
        const options = { signal: this.#signal, known: memory.list };
        const received = await receiveDirectory(session, selection, open, options);
        receivedBytes = received.receivedBytes;
        memory.list = received.list;
        memory.digest = digest;
      }
      memory.tree = tree;
      if (sharedKey === '') this.#removers.push(context.remove);
      else this.#kept.push(context);
      return { directory, receivedBytes, memory: tree };
    } catch (error) {
      // Nobody knows how much of it came over.
      await root?.close();
      await context.remove();
      throw error;
    } finally {
      await root?.close();
    }
  }

  /** A URL that leads back to the client is its standard input; the rest the daemon fetches itself. */
  async #remoteContext(remote: string): Promise<OpenedContext> {
    const upload = /^https?:\/\/buildkit-session(\/.*)$/.exec(remote);
    if (upload === null && isRepositoryUrl(remote)) return { url: remote };
    const context = await this.#build.vertices.task('[internal] load remote build context', async () => {
      const tar = await this.#openRemote(remote, upload?.[1]);
      return this.#services.contexts.unpack(tar, this.#signal);
    });
    this.#removers.push(context.remove);
    return context;
  }

  async #openRemote(remote: string, uploadPath: string | undefined): Promise<Readable> {
    if (uploadPath !== undefined) return this.#upload(uploadPath);
    if (remote === uploadRemote && this.#build.openUpload !== undefined)
      return this.#build.openUpload(this.#signal);
    return (await openRemoteContext(await this.#services.engine.builder.fetchUrl(remote, this.#signal))).tar;
  }

  #upload(path: string): Readable {
    const exchange = this.#session.connection.call(uploadService.pull.path, {
      metadata: new Map([
        ['urlpath', [path]],
        ['urlhost', ['buildkit-session']],
      ]),
      signal: this.#signal,
    });
    return Readable.from(
      (async function* () {
        for await (const message of exchange.messages) yield Buffer.from(bytesMessage.decode(message).data);
      })(),
      { objectMode: false },
    );
  }
}
