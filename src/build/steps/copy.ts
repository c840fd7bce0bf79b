import { rename } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { digestOf } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot, HashedEntry, HashedTree } from '../../storage/confined.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Material } from '../attest/materials.ts';
import { expandText, expandWord } from '../dockerfile/expand.ts';
import type { CopyInstruction } from '../dockerfile/instructions.ts';
import { inputFiles } from '../explain/input-files.ts';
import type { FileStep } from '../file-step.ts';
import type { GitCheckouts } from '../git/checkouts.ts';
import { parseGitSource } from '../git/git-source.ts';
import type { LinkedFiles } from '../linked-layer.ts';
import type { SourceTree } from '../source-tree.ts';
import { type BuildState, chainIdOfState, lookupIn } from '../state.ts';
import type { Workspace } from '../workspace.ts';
import { prepareGit } from './add-git.ts';
import { isArchive, openArchive } from './archives.ts';
import { type CopyMove, type FoundSource, namesDirectory, planMoves } from './copy-plan.ts';
import { download, isRemote } from './download.ts';
import { type ModeChange, parseMode } from './mode.ts';
import { type Owner, ownerIn } from './owner.ts';
import type { DirectoryAbove, OpenedSource, PreparedSource } from './prepared-source.ts';
import { directoriesAbove, findSources, includedEntries, isExcluded } from './sources.ts';

export interface CopyContext {
  storage: Storage;
  workspace: Workspace;
  escapeToken: string;
  git: GitCheckouts;
  /** As in BuildRequest; otherwise `COPY ../a`, and several sources without a slash after the destination, are refused. */
  asBuildKit: boolean;
  /** What --from names; undefined: the build context. */
  from?: CopyOrigin;
  /** As BuilderOptions has it. */
  proxyFor(url: URL): string | undefined;
  /** Told what ADD takes from elsewhere. */
  material(material: Material): void;
  signal: AbortSignal;
}

export interface CopyOrigin {
  tree: SourceTree;
  /** Without --chown files stay whose they are there; else they become root's. */
  keepsOwners: boolean;
}

interface CopyPlan {
  kind: 'COPY' | 'ADD';
  parents: boolean;
  sources: PreparedSource[];
  destination: string;
  workingDirectory: string;
  owner?: Owner;
  mode?: number | ModeChange;
}

/** COPY and ADD: finds and hashes the sources now, copies when the step is applied. */
export async function prepareCopy(
  state: BuildState,
  instruction: CopyInstruction,
  context: CopyContext,
): Promise<FileStep> {
  const written = expandCopy(state, instruction, context.escapeToken);
  const sources = await prepareSources(instruction, written, state, context);
  if (!context.asBuildKit && sources.length > 1 && !namesDirectory(written.destination)) {
    const message = `When using ${instruction.kind} with more than one source file, the destination must be a directory and end with a /`;
    throw new EngineError('invalid', message);
  }
  const owner = await ownerOf(state, written.chown, context);
  const plan: CopyPlan = {
    kind: instruction.kind,
    parents: instruction.parents,
    sources,
    destination: written.destination,
    workingDirectory: state.config.WorkingDir ?? '/',
    owner: owner ?? (context.from?.keepsOwners === true ? undefined : { uid: 0, gid: 0 }),
    mode: written.chmod === undefined ? undefined : parseMode(written.chmod),
  };
  return {
    parts: {
      step: 'copy',
      kind: plan.kind,
      ...(plan.parents ? { parents: 'yes' } : {}),
      sources: sources.map(source =>
        JSON.stringify([
          source.found.kept ?? null,
          ...(source.above === undefined ? [] : [source.above]),
          source.found.isDirectory ? null : basename(source.found.path),
          source.hash,
          source.archive !== undefined,
          source.permissions ?? null,
        ]),
      ),
      destination: posix.resolve('/', plan.workingDirectory, plan.destination),
      asDirectory: namesDirectory(plan.destination) ? 'yes' : null,
      owner: plan.owner === undefined ? null : `${plan.owner.uid}:${plan.owner.gid}`,
      chownWanted: written.chown === undefined ? null : 'yes',
      chmod: written.chmod ?? null,
    },
    files: () => sources.flatMap(source => inputFiles(shownPath(source), entriesOf(source, plan))),
    createdBy: describe(instruction, written),
    mountPoints: false,
    timesOfContext:
      context.from?.keepsOwners !== true && sources.every(source => source.archive === undefined),
    // Where the place of each of several sources depends on what is there, there is nothing to be copied beforehand.
    ...(instruction.link && (sources.length === 1 || namesDirectory(plan.destination))
      ? { linked: linkedFiles(plan) }
      : {}),
    makeLayer: options => copyDirectory(plan, context, options),
    apply: (rootfs, _emit, signal) => applyCopy(plan, owner, rootfs, context.storage, signal),
  };
}

function linkedFiles({ sources, destination, workingDirectory, owner }: CopyPlan): LinkedFiles {
  const path = posix.resolve('/', workingDirectory, destination);
  const [only] = sources;
  const isNamed = sources.length === 1 && !only!.found.isDirectory && !namesDirectory(destination);
  return { destination: path, ...(isNamed ? { fileName: basename(only!.found.path) } : {}), owner };
}

/** What of a source is in the key. */
function entriesOf({ found, tree }: PreparedSource, { parents }: CopyPlan): HashedEntry[] {
  const entries = tree?.entries() ?? [];
  return takesInside(found, parents) ? entries.filter(({ path }) => path !== '') : entries;
}

/** Only --parents gives the destination the mode and the owner of the directory. */
function takesInside({ isDirectory }: FoundSource, parents: boolean): boolean {
  return isDirectory && !parents;
}

/** What was written here for the step has a name, but no path that anybody knows. */
function shownPath({ found, permissions }: PreparedSource): string {
  return permissions === undefined ? found.path : `/${basename(found.path)}`;
}

interface ExpandedCopy {
  sources: string[];
  destination: string;
  chown?: string;
  chmod?: string;
  exclude: string[];
}

function expandCopy(state: BuildState, instruction: CopyInstruction, escapeToken: string): ExpandedCopy {
  const lookup = lookupIn(state);
  const expand = (word: string): string => expandWord(word, lookup, escapeToken);
  const maybe = (word: string | undefined) => (word === undefined ? undefined : expand(word));
  return {
    sources: instruction.sources.map(source => (source.type === 'path' ? expand(source.path) : '')),
    destination: expand(instruction.destination),
    // A variable that is empty is no flag.
    chown: maybe(instruction.chown) || undefined,
    chmod: maybe(instruction.chmod) || undefined,
    exclude: instruction.exclude.map(expand),
  };
}

function describe(instruction: CopyInstruction, written: ExpandedCopy): string {
  const flags = [
    ...(instruction.parents ? ['--parents'] : []),
    ...(written.chown === undefined ? [] : [`--chown=${written.chown}`]),
    ...(written.chmod === undefined ? [] : [`--chmod=${written.chmod}`]),
  ];
  const paths = written.sources.filter((_, index) => instruction.sources[index]!.type === 'path');
  const heredocs = instruction.sources.flatMap(source =>
    source.type === 'heredoc' ? [`<<${source.heredoc.name}`] : [],
  );
  return [instruction.kind, ...flags, ...paths, ...heredocs, written.destination, '# buildkit'].join(' ');
}

async function prepareSources(
  instruction: CopyInstruction,
  written: ExpandedCopy,
  state: BuildState,
  context: CopyContext,
): Promise<PreparedSource[]> {
  const prepared: PreparedSource[] = [];
  checkRemotes(instruction, written);
  for (const [index, source] of instruction.sources.entries()) {
    const repository = source.type === 'heredoc' ? undefined : parseGitSource(written.sources[index]!);
    if (source.type === 'heredoc') {
      const { name, content, expand } = source.heredoc;
      const text = expand ? expandText(content, lookupIn(state)) : content;
      prepared.push(await prepareText(name, text, context));
    } else if (repository !== undefined) {
      prepared.push(await prepareGit(repository, instruction, written.exclude, context));
    } else if (isRemote(written.sources[index]!)) {
      prepared.push(await prepareRemote(instruction, written.sources[index]!, written.destination, context));
    } else {
      prepared.push(...(await preparePaths(instruction, written, written.sources[index]!, context)));
    }
  }
  return prepared;
}

/** COPY takes nothing from elsewhere, and a checksum is that of the one thing that is fetched. */
function checkRemotes(instruction: CopyInstruction, { sources }: ExpandedCopy): void {
  const { kind, checksum } = instruction;
  const isGit = (source: string): boolean => parseGitSource(source) !== undefined;
  if (kind === 'COPY' && sources.some(isGit))
    throw new EngineError('invalid', "source can't be a git ref for COPY");
  if (kind === 'COPY' && sources.some(isRemote))
    throw new EngineError('invalid', "source can't be a URL for COPY");
  if (checksum === undefined) return;
  if (sources.length !== 1)
    throw new EngineError('invalid', "checksum can't be specified for multiple sources");
  if (!isGit(sources[0]!) && !isRemote(sources[0]!))
    throw new EngineError('invalid', 'checksum requires HTTP(S) or Git sources');
}

async function preparePaths(
  instruction: CopyInstruction,
  written: ExpandedCopy,
  word: string,
  context: CopyContext,
): Promise<PreparedSource[]> {
  const { from, workspace, asBuildKit } = context;
  const { kind, parents, unpack = true } = instruction;
  const { exclude } = written;
  const tree = from?.tree ?? (await workspace.context());
  const options = { kind, parents, stopsAtTop: asBuildKit, fromContext: from === undefined };
  const unpacks = kind === 'ADD' && unpack;
  const looked = await tree.recall(['copied', word, options, unpacks, exclude], async () => {
    const root = await tree.root();
    const all = await findSources(root, word, options);
    const wanted = all.filter(found => !isExcluded(found, exclude));
    // The context is a private copy, so that archives in it may be opened from outside.
    const unpackIn = unpacks ? workspace.contextDirectory : undefined;
    return Promise.all(wanted.map(found => lookAt(found, tree, { exclude, unpackIn })));
  });
  return looked.map(({ found, path, hashed, above, isArchive: unpacked }) => ({
    open: async () => {
      const root = await tree.root();
      return { root, path, only: await includedEntries(root, { ...found, path }, exclude) };
    },
    found,
    hash: takesInside(found, parents) ? hashed.insideDigest : hashed.digest,
    above,
    tree: hashed,
    archive: unpacked ? join(workspace.contextDirectory, path) : undefined,
  }));
}

/** What a step's key and its copying need to know of a source. */
interface LookedAt {
  found: FoundSource;
  /** Without symbolic links. */
  path: string;
  hashed: HashedTree;
  above: DirectoryAbove[] | undefined;
  isArchive: boolean;
}

async function lookAt(
  found: FoundSource,
  tree: SourceTree,
  { exclude, unpackIn }: { exclude: readonly string[]; unpackIn: string | undefined },
): Promise<LookedAt> {
  const root = await tree.root();
  const path = await root.resolve(found.path);
  const only = await includedEntries(root, { ...found, path }, exclude);
  const hashed = only === undefined ? await tree.hash(path) : await tree.hashOnly(path, only);
  return {
    found,
    path,
    hashed,
    above: await directoriesAbove(root, found),
    isArchive: unpackIn !== undefined && !found.isDirectory && (await isArchiveIn(root, path, unpackIn)),
  };
}

/** @param path without symbolic links */
async function isArchiveIn(root: ConfinedRoot, path: string, directory: string): Promise<boolean> {
  // Whoever opens a pipe waits for somebody to write.
  return (await root.stat(path))?.type === 'file' && isArchive(join(directory, path));
}

/** A file that the Dockerfile brings. */
async function prepareText(name: string, text: string, { workspace }: CopyContext): Promise<PreparedSource> {
  const permissions = 0o644;
  let file: Promise<string> | undefined;
  const path = async () => {
    file ??= workspace.temporaryFile(name, text, permissions);
    return `/${basename(await file)}/${name}`;
  };
  const tree = workspace.treeOfText(digestOf(text));
  const hashed = await tree.recall(['text', name, permissions], async () =>
    (await tree.root()).hashTree(await path()),
  );
  return {
    open: async () => ({ root: await tree.root(), path: await path() }),
    found: { path: `/${name}`, isDirectory: false },
    hash: hashed.digest,
    tree: hashed,
    permissions,
  };
}

async function prepareRemote(
  instruction: CopyInstruction,
  url: string,
  destination: string,
  context: CopyContext,
): Promise<PreparedSource> {
  const [part, directory] = [
    await context.workspace.temporaryDirectory(),
    await context.workspace.temporaryDirectory(),
  ];
  const fetched = await download(url, join(part, 'part'), {
    checksum: instruction.checksum,
    proxyFor: context.proxyFor,
    signal: context.signal,
    // The name in the URL only matters where the destination is a directory.
    nameNeeded: destination.endsWith('/'),
  });
  context.material({ type: 'http', url, digest: fetched.digest });
  const file = join(directory, fetched.name);
  await rename(join(part, 'part'), file);
  const source = await prepareFile(directory, fetched.name, 0o600, context);
  if (instruction.unpack !== true || !(await isArchive(file))) return source;
  return { ...source, archive: file };
}

/** A file that a server brought: `/<directory>/<name>` among the temporary files. */
async function prepareFile(
  directory: string,
  name: string,
  permissions: number,
  { workspace }: CopyContext,
): Promise<PreparedSource> {
  const root = await workspace.temporaryRoot();
  const path = `/${basename(directory)}/${name}`;
  const tree = await root.hashTree(path);
  const found = { path, isDirectory: false };
  return { open: async () => ({ root, path }), found, hash: tree.digest, tree, permissions };
}

/** Names are looked up in the files below the step, which is why they are in the key as numbers only. */
async function ownerOf(
  state: BuildState,
  chown: string | undefined,
  { workspace }: CopyContext,
): Promise<Owner | undefined> {
  if (chown === undefined) return undefined;
  return ownerIn(workspace.treeOf(chainIdOfState(state)), chown);
}

/** From so many entries on a second worker is worth its start. */
const sharedEntries = 500;

/** One directory of the context to where nothing is: what most of the files of most images come by. */
async function copyDirectory(
  plan: CopyPlan,
  { workspace, storage, from }: CopyContext,
  options: Parameters<NonNullable<FileStep['makeLayer']>>[0],
): Promise<Layer | undefined> {
  const [source] = plan.sources;
  if (
    source?.tree === undefined ||
    from !== undefined ||
    plan.parents ||
    plan.sources.length !== 1 ||
    !source.found.isDirectory
  )
    return undefined;
  const { owner, mode } = plan;
  if (owner === undefined || typeof mode === 'function') return undefined;
  const opened = await source.open(options.signal);
  if (opened.root !== (await (await workspace.context()).root())) return undefined;
  const files = {
    root: workspace.contextDirectory,
    path: opened.path,
    only: opened.only,
    destination: posix.resolve('/', plan.workingDirectory, plan.destination),
    owner,
    permissions: mode,
    directoryPermissions: modeOnTheWay(plan),
    times: options.times,
  };
  return storage.layers.copy(files, { ...options, shared: source.tree.count >= sharedEntries });
}

async function applyCopy(
  plan: CopyPlan,
  chown: Owner | undefined,
  rootfs: string,
  storage: Storage,
  signal: AbortSignal,
): Promise<void> {
  const target = await storage.confine(rootfs);
  try {
    const written = posix.resolve('/', plan.workingDirectory, plan.destination);
    // A file that is copied onto a symbolic link becomes what the link leads to.
    const destination = await target.resolve(written);
    const moves = planMoves(
      plan.sources.map(({ found, archive }) => ({ ...found, isUnpacked: archive !== undefined })),
      plan.destination,
      plan.workingDirectory,
      await isDirectoryIn(target, written),
    ).map(move => (move.destination === written ? { ...move, destination } : move));
    // What --parents copies into is there even when it finds nothing.
    if (plan.parents)
      await target.makeDirectory(destination, { owner: plan.owner, permissions: modeOnTheWay(plan) });
    for (const [index, move] of moves.entries()) {
      const source = plan.sources[index]!;
      if (source.archive === undefined) await copyOne(target, move, source, plan, signal);
      else await unpackOne(target, source.archive, plan, chown, signal);
    }
  } finally {
    await target.close();
  }
}

async function isDirectoryIn(target: ConfinedRoot, path: string): Promise<boolean> {
  return (await target.stat(path, { follow: true }))?.type === 'directory';
}

async function copyOne(
  target: ConfinedRoot,
  move: CopyMove,
  source: PreparedSource,
  plan: CopyPlan,
  signal: AbortSignal,
): Promise<void> {
  const opened = await source.open(signal);
  const common = {
    from: opened.root,
    source: opened.path,
    destination: move.destination,
    owner: plan.owner,
    signal,
  };
  const destinationDirectory = move.isDirectory ? move.destination : dirname(move.destination);
  const onTheWay = modeOnTheWay(plan);
  for (const directory of source.above ?? []) await makeAbove(target, directory, plan);
  await target.makeDirectory(destinationDirectory, { owner: plan.owner, permissions: onTheWay });
  if (typeof plan.mode !== 'function') {
    const permissions = plan.mode ?? source.permissions;
    await target.copyTree({ ...common, only: opened.only, permissions });
    return;
  }
  for (const group of await groupByMode(source, opened, plan.mode))
    await target.copyTree({ ...common, only: group.only, permissions: group.permissions });
}

/** A --chmod of digits is for the directories made on the way, too, but only their owner may write there. */
function modeOnTheWay({ mode }: CopyPlan): number | undefined {
  return typeof mode === 'number' ? mode & 0o755 : undefined;
}

/** A directory that --parents keeps is as it is in the source, unless it is there already. */
async function makeAbove(target: ConfinedRoot, above: DirectoryAbove, plan: CopyPlan): Promise<void> {
  const { permissions, uid, gid } = above;
  const { mode, owner = { uid, gid } } = plan;
  const path = posix.resolve('/', plan.workingDirectory, plan.destination, above.path);
  if ((await target.stat(path, { follow: true })) !== undefined) return;
  const changed = typeof mode === 'function' ? mode(permissions, true) : (mode ?? permissions);
  await target.makeDirectory(path, { owner, permissions: changed });
}

/** A symbolic mode gives every entry its own permissions: entries with the same are copied together, directories first. */
async function groupByMode(
  source: PreparedSource,
  { root, path, only }: OpenedSource,
  mode: ModeChange,
): Promise<{ permissions: number; only?: string[] }[]> {
  if (!source.found.isDirectory) {
    const stat = await root.stat(path);
    return [{ permissions: mode(source.permissions ?? stat?.permissions ?? 0o644, false) }];
  }
  const included = only === undefined ? undefined : new Set(only);
  const groups = new Map<string, { permissions: number; only: string[] }>();
  const entries = await root.list(path, { recursive: true });
  const sorted = [
    ...entries.filter(entry => entry.type === 'directory'),
    ...entries.filter(entry => entry.type !== 'directory'),
  ];
  for (const entry of sorted) {
    if (included?.has(entry.path) === false) continue;
    const isDirectory = entry.type === 'directory';
    const permissions = mode(entry.permissions, isDirectory);
    const key = `${isDirectory} ${permissions}`;
    const group = groups.get(key) ?? { permissions, only: [] };
    group.only.push(entry.path);
    groups.set(key, group);
  }
  return [...groups.values()];
}

async function unpackOne(
  target: ConfinedRoot,
  file: string,
  plan: CopyPlan,
  chown: Owner | undefined,
  signal: AbortSignal,
): Promise<void> {
  const destination = posix.resolve('/', plan.workingDirectory, plan.destination);
  await target.makeDirectory(destination, { owner: plan.owner });
  await target.unpackTar(destination, openArchive(file), {
    owner: chown,
    signal,
  });
}
