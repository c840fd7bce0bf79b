import { randomBytes } from 'node:crypto';
import { lstat, rm, rmdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Digest } from '../../oci/digest.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import type { HashedTree } from '../../storage/confined.ts';
import { rootDirectoryExists } from '../../storage/root-files.ts';
import type { Storage } from '../../storage/storage.ts';
import { showVolumePart } from '../../storage/subpaths.ts';
import { commandLine } from '../configure.ts';
import { expandWord } from '../dockerfile/expand.ts';
import { type Heredoc, parseHeredocWord } from '../dockerfile/heredoc.ts';
import type { RunInstruction } from '../dockerfile/instructions.ts';
import type { Executor, ExecutorIo, ExecutorMount, ExecutorStep } from '../executor.ts';
import { inputFiles } from '../explain/input-files.ts';
import type { InputFile } from '../explain/reason.ts';
import type { FileStep, StepEvent } from '../file-step.ts';
import type { FailedStep } from '../held-steps.ts';
import type { BuildRequest } from '../request.ts';
import { type BuildState, defaultPath, envOf, lookupIn } from '../state.ts';
import type { Workspace } from '../workspace.ts';
import type { CacheMounts } from './cache-mounts.ts';
import { arrangeMounts, type MountSpec, readMounts } from './run-mounts.ts';

export interface RunContext {
  storage: Storage;
  workspace: Workspace;
  executor: Executor;
  cacheMounts: CacheMounts;
  request: BuildRequest;
  /** What the daemon lets a request ask for. */
  grantable: readonly string[];
  escapeToken: string;
  /** Keeps a step that has failed until somebody has looked into it. */
  hold?(step: FailedStep, signal: AbortSignal): Promise<void>;
  /** The top layer of what --from names. */
  resolveFrom(from: string): Promise<Digest | undefined>;
  /** The build context as a layer. */
  contextLayer(): Promise<Digest | undefined>;
}

/** Thrown inside the step; the solver adds the place in the Dockerfile. */
export class NonZeroExit extends EngineError {
  readonly args: readonly string[];
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number) {
    super('invalid', `The command '${args.join(' ')}' returned a non-zero code: ${exitCode}`);
    this.args = args;
    this.exitCode = exitCode;
  }
}

/** Build arguments every RUN sees without ARG, and that are no part of keys and history. */
const proxyNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
export const predefinedArgs: ReadonlySet<string> = new Set(
  proxyNames.flatMap(name => [name, name.toLowerCase()]),
);

/** A mount, and where what it shows comes from. */
interface PreparedMount {
  spec: MountSpec;
  /** Of what --from names. */
  chainId?: Digest;
  /** In the key: what the step can see through the mount. A cache is not: it may always be empty. */
  identity: string;
  /** What a bind of the build context shows. */
  files(): readonly InputFile[];
}

interface RunPlan {
  args: string[];
  /** A heredoc that begins with #! is a script of its own. */
  script?: { name: string; content: string };
  env: string[];
  mounts: PreparedMount[];
  workingDirectory: string;
  user: string;
  network: string;
  privileged: boolean;
}

export async function prepareRun(
  state: BuildState,
  instruction: RunInstruction,
  context: RunContext,
): Promise<FileStep> {
  const { config } = state;
  const { request } = context;
  const { text, script } = readScript(instruction);
  const args = commandLine({ shell: instruction.command.shell, args: text }, config);
  const mounts = await prepareMounts(state, instruction, context);
  const own = request.networkMode === '' ? 'default' : request.networkMode;
  const network = instruction.network === 'default' ? own : instruction.network;
  if (network === 'host') requireEntitlement('network.host', context);
  const privileged = instruction.security === 'insecure';
  if (privileged) requireEntitlement('security.insecure', context);
  const ofImage = envOf(config);
  const env = new Map(ofImage);
  for (const [name, value] of state.args) if (value !== undefined) env.set(name, value);
  if (!env.has('PATH')) env.set('PATH', defaultPath);
  const plan: RunPlan = {
    args,
    script,
    env: [...env, ...proxies(request, env)].map(([name, value]) => `${name}=${value}`),
    mounts,
    workingDirectory: posix.resolve('/', config.WorkingDir ?? ''),
    user: config.User ?? '',
    network,
    privileged,
  };
  return {
    parts: {
      step: 'run',
      args,
      script: script?.content ?? null,
      env: [...env].map(([name, value]) => `${name}=${value}`),
      user: plan.user,
      workingDirectory: plan.workingDirectory,
      network: plan.network,
      security: instruction.security,
      extraHosts: request.extraHosts,
      ulimits: request.limits.ulimits.map(limit => JSON.stringify(limit)),
      shmSize: request.limits.shmSizeBytes === 0 ? null : String(request.limits.shmSizeBytes),
      platform: [state.platform.os, state.platform.architecture, state.platform.variant ?? ''],
      mounts: mounts.map(mount => mount.identity),
    },
    files: () => mounts.flatMap(mount => mount.files()),
    cacheMounts: mounts.flatMap(({ spec }) => (spec.type === 'cache' ? spec.id : [])),
    argumentNames: [...state.args.keys()].filter(name => !ofImage.has(name)),
    createdBy: describe(state, args),
    mountPoints: true,
    apply: (rootfs, emit, signal) => applyRun(plan, rootfs, context, emit, signal),
  };
}

function requireEntitlement(name: string, { request, grantable }: RunContext): void {
  if (!request.entitlements.includes(name)) throw new EngineError('forbidden', `${name} is not allowed`);
  if (grantable.includes(name)) return;
  const message = `granting entitlement ${name} is not allowed by build daemon configuration`;
  throw new EngineError('forbidden', message);
}

/** What is executed: heredocs are given to the shell whole, or are the command themselves (BuildKit, dispatchRun). */
function readScript(instruction: RunInstruction): {
  text: string[];
  script?: { name: string; content: string };
} {
  const { command, heredocs } = instruction;
  const [first] = heredocs;
  if (first === undefined || !command.shell) return { text: command.args };
  const line = command.args[0]!;
  if (parseHeredocWord(line.trim()) === undefined)
    return { text: [[line, ...heredocs.map(heredocText)].join('\n')] };
  if (!first.content.startsWith('#!')) return { text: [first.content] };
  return { text: [`${scriptDirectory}/${first.name}`], script: { name: first.name, content: first.content } };
}

const scriptDirectory = '/dev/pipes';

function heredocText(heredoc: Heredoc): string {
  return heredoc.content + heredoc.name;
}

function proxies(
  { buildArgs, asBuildKit }: BuildRequest,
  env: ReadonlyMap<string, string>,
): [string, string][] {
  const found: [string, string][] = [];
  for (const name of predefinedArgs) {
    const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
    const value = buildArgs[name] ?? (asBuildKit ? buildArgs[other] : undefined);
    if (typeof value === 'string' && !env.has(name)) found.push([name, value]);
  }
  return found;
}

/** `RUN |1 VERSION=3 /bin/sh -c make # buildkit` */
function describe(state: BuildState, args: readonly string[]): string {
  const lookup = lookupIn(state);
  const shown = [...state.args.keys()].map(name => `${name}=${lookup(name) ?? ''}`);
  const count = shown.length === 0 ? [] : [`|${shown.length}`];
  return ['RUN', ...count, ...shown, ...args, '# buildkit'].join(' ');
}

async function prepareMounts(
  state: BuildState,
  instruction: RunInstruction,
  context: RunContext,
): Promise<PreparedMount[]> {
  const lookup = lookupIn(state);
  const workingDirectory = state.config.WorkingDir ?? '/';
  const prepared: PreparedMount[] = [];
  const expand = (word: string): string => expandWord(word, lookup, context.escapeToken);
  for (const spec of readMounts(instruction.mounts, workingDirectory, expand)) {
    const from = 'from' in spec ? spec.from : undefined;
    const chainId = from === undefined ? undefined : await context.resolveFrom(from);
    const tree =
      spec.type === 'bind' && from === undefined ? await contextTree(spec.source, context) : undefined;
    const content = tree === undefined ? (chainId ?? '') : tree.digest;
    const files = () => inputFiles(spec.type === 'bind' ? spec.source : '/', tree?.entries() ?? []);
    prepared.push({ spec, chainId, identity: JSON.stringify([spec, content]), files });
  }
  return prepared;
}

async function contextTree(source: string, { workspace }: RunContext): Promise<HashedTree> {
  const tree = await workspace.context();
  return tree.recall(['mounted', source], async () => {
    const root = await tree.root();
    if ((await root.stat(source, { follow: true })) === undefined) throw missingSource(source);
    return tree.hash(await root.resolve(source));
  });
}

function missingSource(source: string): EngineError {
  return new EngineError('notFound', `failed to compute cache key: "${source}": not found`);
}

async function applyRun(
  plan: RunPlan,
  rootfs: string,
  context: RunContext,
  emit: (event: StepEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  await makeWorkingDirectory(plan, rootfs, context);
  const runId = randomBytes(32).toString('hex');
  const targets = plan.mounts.map(mount => mount.spec.target).filter(target => target !== undefined);
  if (plan.script !== undefined) targets.push(scriptDirectory);
  const stubs = await missingMountPoints(rootfs, targets);
  emit({ type: 'running', runId });
  const { args } = plan;
  const io: ExecutorIo = {
    stdout: chunk => emit({ type: 'log', stream: 'stdout', chunk }),
    stderr: chunk => emit({ type: 'log', stream: 'stderr', chunk }),
  };
  const { exitCode, released } = await withMounts(plan, context, ready =>
    context.executor.run(executorStep(plan, { id: runId, rootfs, args, ready }, context), io, signal),
  );
  if (released !== undefined) context.workspace.settlesBefore(released);
  signal.throwIfAborted();
  if (exitCode !== 0) {
    await context.hold?.(
      {
        args,
        exitCode,
        enter: (others, terminal, left) =>
          withMounts(plan, context, ready => {
            const id = randomBytes(32).toString('hex');
            const step = executorStep(plan, { id, rootfs, args: others, ready }, context);
            return context.executor.converse(step, terminal, AbortSignal.any([signal, left]));
          }),
      },
      signal,
    );
    throw new NonZeroExit(args, exitCode);
  }
  await removeStubs(rootfs, stubs);
}

function executorStep(
  plan: RunPlan,
  run: { id: string; rootfs: string; args: readonly string[]; ready: ReadyMounts },
  { request }: RunContext,
): ExecutorStep {
  return {
    id: run.id,
    rootfs: run.rootfs,
    args: [...run.args],
    env: [...plan.env, ...run.ready.env],
    cwd: plan.workingDirectory,
    user: plan.user,
    // BuildKit's. A name that changed would get into what is made.
    hostname: 'buildkitsandbox',
    network: plan.network,
    extraHosts: request.extraHosts,
    mounts: run.ready.mounts,
    privileged: plan.privileged,
    limits: request.limits,
  };
}

async function makeWorkingDirectory(plan: RunPlan, rootfs: string, { storage }: RunContext): Promise<void> {
  if (rootDirectoryExists(rootfs, plan.workingDirectory)) return;
  const root = await storage.confine(rootfs);
  try {
    await root.makeDirectory(plan.workingDirectory);
  } finally {
    await root.close();
  }
}

/** What a process gets that neither its layer nor its key may know. */
interface ReadyMounts {
  mounts: ExecutorMount[];
  /** `NAME=value` */
  env: string[];
}

/** Runs `work` with all mounts there; caches are given back when it is done. */
async function withMounts<T>(
  plan: RunPlan,
  context: RunContext,
  work: (ready: ReadyMounts) => Promise<T>,
): Promise<T> {
  return withCaches(plan.mounts, context, async caches => {
    const ready: ReadyMounts = { mounts: [], env: [] };
    const parts: ReturnType<typeof partOfCache>[] = [];
    try {
      if (plan.script !== undefined) {
        const source = await context.workspace.temporaryFile(plan.script.name, plan.script.content, 0o755);
        ready.mounts.push({ type: 'bind', source, target: scriptDirectory, readOnly: true });
      }
      for (const mount of plan.mounts) {
        const { spec } = mount;
        if (spec.type === 'tmpfs') ready.mounts.push(spec);
        else if (spec.type === 'bind') ready.mounts.push(await bindMount(spec, mount, context));
        else if (spec.type === 'secret') await addSecret(spec, context.request, ready);
        else if (spec.type === 'ssh') await addAgent(spec, context.request, plan.env, ready);
        else {
          const { target, readOnly } = spec;
          const directory = caches.get(spec.id)!;
          const part = spec.from === undefined ? partOfCache(directory, spec.source, context) : undefined;
          parts.push(part);
          ready.mounts.push({ type: 'bind', source: part?.path ?? directory, target, readOnly });
        }
      }
      return await work({ ...ready, mounts: arrangeMounts(ready.mounts) });
    } finally {
      for (const part of parts) part?.release();
    }
  });
}

/**
 * Each cache is taken once, at however many places it is mounted, and in the order of their ids: steps that lock the same
 * caches do not wait for each other.
 * @param work is given the directories by id
 */
async function withCaches<T>(
  mounts: readonly PreparedMount[],
  context: RunContext,
  work: (directories: ReadonlyMap<string, string>) => Promise<T>,
): Promise<T> {
  const caches = Map.groupBy(mounts.filter(isCache), ({ spec }) => spec.id);
  const ids = [...caches.keys()].sort();
  const directories = new Map<string, string>();
  const next = async (index: number): Promise<T> => {
    const id = ids[index];
    if (id === undefined) return work(directories);
    const places = caches.get(id)!;
    const mount = places.find(({ spec }) => spec.sharing === 'locked') ?? places[0]!;
    const { spec } = mount;
    const fill =
      spec.from === undefined
        ? undefined
        : (directory: string) => fillCache(directory, spec.source, mount, context);
    return context.cacheMounts.use({ ...spec, fill }, directory => {
      directories.set(id, directory);
      return next(index + 1);
    });
  };
  return next(0);
}

function isCache(mount: PreparedMount): mount is PreparedMount & { spec: { type: 'cache' } } {
  return mount.spec.type === 'cache';
}

async function addSecret(
  spec: MountSpec & { type: 'secret' },
  request: BuildRequest,
  ready: ReadyMounts,
): Promise<void> {
  const { id, required, target, env, permissions, uid, gid } = spec;
  const value = await request.secrets?.(id);
  if (value === undefined) {
    if (!required) return;
    throw new EngineError('notFound', `secret ${id}: not found`);
  }
  if (env !== undefined) ready.env.push(`${env}=${value.toString('utf8')}`);
  if (target !== undefined) ready.mounts.push({ type: 'secret', target, value, permissions, uid, gid });
}

async function addAgent(
  spec: MountSpec & { type: 'ssh' },
  request: BuildRequest,
  env: readonly string[],
  ready: ReadyMounts,
): Promise<void> {
  const { id, required, target, permissions, uid, gid } = spec;
  const known = [...env, ...ready.env].some(pair => pair.startsWith('SSH_AUTH_SOCK='));
  if (!known) ready.env.push(`SSH_AUTH_SOCK=${target}`);
  const agent = await request.ssh?.(id);
  if (agent !== undefined) {
    const { socketPath } = agent;
    ready.mounts.push({ type: 'agent', target, socketPath, permissions, uid, gid });
  } else if (required) {
    const which = id === 'default' ? 'no SSH' : `no SSH key ${JSON.stringify(id)}`;
    throw new EngineError('notFound', `${which} forwarded from the client`);
  }
}

/**
 * The source is resolved inside its root by the kernel, and nothing can change it afterwards: views are read-only,
 * writable ones belong to this step alone (CVE-2024-23651, CVE-2024-23652).
 */
async function bindMount(
  spec: MountSpec & { type: 'bind' },
  mount: PreparedMount,
  { workspace, contextLayer }: RunContext,
): Promise<ExecutorMount> {
  const { target, readOnly } = spec;
  if (spec.from === undefined && readOnly) {
    const root = await (await workspace.context()).root();
    const path = await root.resolve(spec.source);
    return { type: 'bind', source: join(workspace.contextDirectory, path), target, readOnly };
  }
  // What is written to a context is thrown away: it goes to a layer on top of it.
  const chainId = spec.from === undefined ? await contextLayer() : mount.chainId;
  const view = await workspace.view(chainId);
  if ((await view.root.stat(spec.source, { follow: true })) === undefined) throw missingSource(spec.source);
  const path = await view.root.resolve(spec.source);
  const root = await (readOnly ? workspace.mountable(chainId) : workspace.scratchCopy(chainId));
  return { type: 'bind', source: join(root, path), target, readOnly };
}

/**
 * A subdirectory of a cache. Another step may put a link in its way at any time, so what is mounted was found by the
 * kernel below the cache (CVE-2024-23651).
 */
function partOfCache(directory: string, source: string, { storage }: RunContext) {
  if (source === '/') return undefined;
  const name = `build-${randomBytes(16).toString('hex')}`;
  return showVolumePart(storage.paths, name, { volume: directory, subpath: source.slice(1) });
}

async function fillCache(
  directory: string,
  source: string,
  mount: PreparedMount,
  { storage, workspace }: RunContext,
): Promise<void> {
  const view = await workspace.view(mount.chainId);
  const target = await storage.confine(directory);
  try {
    await target.copyTree({ from: view.root, source, destination: '/' });
  } finally {
    await target.close();
  }
}

/**
 * Mount points the runtime is going to make, outermost first. They are taken away after the step, as the image must
 * not show what its build had mounted.
 */
async function missingMountPoints(rootfs: string, targets: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const target of targets) {
    const elements = target.slice(1).split('/');
    for (let count = 1; count <= elements.length; count++) {
      const path = posix.join('/', ...elements.slice(0, count));
      const kind = await kindOf(join(rootfs, path));
      // Behind a symbolic link the mount point is somewhere else; it stays.
      if (kind === 'link') break;
      if (kind === undefined && !missing.includes(path)) missing.push(path);
    }
  }
  return missing;
}

async function kindOf(path: string): Promise<'link' | 'other' | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Removes made mount points that are still empty. No process of the step lives any more. */
async function removeStubs(rootfs: string, stubs: readonly string[]): Promise<void> {
  for (const path of [...stubs].reverse()) {
    if (await passesLink(rootfs, path)) continue;
    try {
      const stat = await lstat(join(rootfs, path));
      if (stat.isDirectory()) await rmdir(join(rootfs, path));
      else if (stat.isFile() && stat.size === 0) await rm(join(rootfs, path));
    } catch (error) {
      // The step has put something there, or removed it itself.
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** The step may have replaced a directory on the way by a link that leads out of its root. */
async function passesLink(rootfs: string, path: string): Promise<boolean> {
  const elements = path.slice(1).split('/');
  for (let count = 1; count < elements.length; count++)
    if ((await kindOf(join(rootfs, ...elements.slice(0, count)))) === 'link') return true;
  return false;
}
