import { type Digest, digestOf } from '../oci/digest.ts';
import type { HistoryEntry, ImageConfig, ImageRunConfig, Platform } from '../oci/image.ts';
import type { Layer } from '../storage/layers.ts';

/** A stage as it stands after some of its instructions: a value, never changed, only replaced. */
export interface BuildState {
  platform: Platform;
  config: ImageRunConfig;
  author?: string;
  /** Base first. */
  layers: readonly Layer[];
  /** How many of the layers, and of the entries of the history, are those of the image it is built on. */
  base: { layers: number; history: number };
  /** Entries without `created` get their time when the image is written (imageConfigOf). */
  history: readonly HistoryEntry[];
  /**
   * Values of the ARGs declared so far, in this stage and in those it is built on; undefined without a value. An ENV of
   * the same name changes the value here too: what came last is what counts, as in BuildKit.
   */
  args: ReadonlyMap<string, string | undefined>;
  /** CMD came in this stage; otherwise ENTRYPOINT takes back the base's. */
  cmdSet: boolean;
}

/** BuildKit's comment in history entries, by which tools know how to read created_by. */
export const historyComment = 'buildkit.dockerfile.v0';
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const defaultShell: readonly string[] = ['/bin/sh', '-c'];

/** FROM scratch, as BuildKit begins it. */
export function scratchState(platform: Platform): BuildState {
  return {
    platform,
    config: { Env: [`PATH=${defaultPath}`], WorkingDir: '/' },
    layers: [],
    base: { layers: 0, history: 0 },
    history: [],
    args: new Map(),
    cmdSet: false,
  };
}

export function imageState(config: ImageConfig, layers: readonly Layer[]): BuildState {
  const { os, architecture, variant } = config;
  const extra = config['os.version'] === undefined ? {} : { 'os.version': config['os.version'] };
  const history = completeHistory(config, layers.length);
  return {
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }), ...extra },
    config: structuredClone(config.config ?? {}),
    author: config.author,
    layers,
    base: { layers: layers.length, history: history.length },
    history,
    args: new Map(),
    cmdSet: false,
  };
}

/** Images from elsewhere may lack history; every layer has an entry, so that new ones do not take theirs. */
function completeHistory(config: ImageConfig, layerCount: number): HistoryEntry[] {
  const history = config.history ?? [];
  const missing = layerCount - history.filter(entry => entry.empty_layer !== true).length;
  const unknown: HistoryEntry = { created: config.created, created_by: 'unknown' };
  return [...history, ...Array.from({ length: Math.max(0, missing) }, () => unknown)];
}

/** FROM an earlier stage: everything, its ARGs too, but over these the image's variables. */
export function stageState(state: BuildState): BuildState {
  const env = envOf(state.config);
  const args = new Map([...state.args].map(([name, value]) => [name, env.get(name) ?? value]));
  return { ...state, args, cmdSet: false };
}

export function chainIdOfState(state: BuildState): Digest | undefined {
  return state.layers.at(-1)?.chainId;
}

export function withConfig(
  state: BuildState,
  changes: Partial<ImageRunConfig>,
  createdBy: string,
): BuildState {
  const entry: HistoryEntry = { created_by: createdBy, comment: historyComment, empty_layer: true };
  return { ...state, config: { ...state.config, ...changes }, history: [...state.history, entry] };
}

/** After a step on the file system; without a layer when it changed nothing. */
export function withLayer(
  state: BuildState,
  result: { layer?: Layer; createdMs: number },
  createdBy: string,
): BuildState {
  const entry: HistoryEntry = {
    created: timeOf(result.createdMs),
    created_by: createdBy,
    comment: historyComment,
    ...(result.layer === undefined ? { empty_layer: true } : {}),
  };
  const layers = result.layer === undefined ? state.layers : [...state.layers, result.layer];
  return { ...state, layers, history: [...state.history, entry] };
}

/** As Go writes it: no zeros at the end of the fraction. */
function timeOf(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.?0*Z$/, 'Z');
}

/** Variables of the image, in their order. */
export function envOf(config: ImageRunConfig): Map<string, string> {
  const env = new Map<string, string>();
  for (const pair of config.Env ?? []) {
    const equals = pair.indexOf('=');
    env.set(equals < 0 ? pair : pair.slice(0, equals), equals < 0 ? '' : pair.slice(equals + 1));
  }
  return env;
}

/** What `$name` means in an instruction. */
export function lookupIn(state: BuildState): (name: string) => string | undefined {
  const env = envOf(state.config);
  return name => state.args.get(name) ?? env.get(name);
}

export function shellOf(config: ImageRunConfig): readonly string[] {
  return config.Shell !== undefined && config.Shell !== null && config.Shell.length > 0
    ? config.Shell
    : defaultShell;
}

/**
 * The image's configuration. Instructions that made no layer take the time of the layer before them (or of the
 * first new one after), as in BuildKit (exporter/containerimage, normalizeLayersAndHistory): the same steps from
 * the cache give the same image.
 *
 * @param times `epochMs` is SOURCE_DATE_EPOCH: no time is later than this. `commitMs`: the time of all that is not the
 * base image's, also of steps that were made for another commit.
 */
export function imageConfigOf(
  state: BuildState,
  { epochMs, commitMs }: { epochMs?: number | undefined; commitMs?: number | undefined } = {},
): Omit<ImageConfig, 'rootfs'> {
  const filled = fillTimes(state.history, epochMs);
  const history =
    commitMs === undefined
      ? filled
      : filled.map((entry, at) =>
          at < state.base.history ? entry : { ...entry, created: timeOf(commitMs) },
        );
  const settledMs = epochMs ?? commitMs;
  const created = settledMs === undefined ? history.at(-1)?.created : timeOf(settledMs);
  return {
    ...(created === undefined ? {} : { created }),
    ...(state.author === undefined ? {} : { author: state.author }),
    ...state.platform,
    config: state.config,
    history,
  };
}

function fillTimes(history: readonly HistoryEntry[], epochMs: number | undefined): HistoryEntry[] {
  const firstMissing = history.findIndex(entry => entry.created === undefined);
  const after = history.slice(Math.max(firstMissing, 0)).find(entry => entry.created !== undefined)?.created;
  let current =
    after ?? history.findLast(entry => entry.created !== undefined)?.created ?? new Date(0).toISOString();
  return history.map((entry, index) => {
    if (entry.created !== undefined && index > firstMissing) current = entry.created;
    const created = entry.created ?? current;
    const clamped = epochMs !== undefined && Date.parse(created) > epochMs;
    return { ...entry, created: clamped ? timeOf(epochMs) : created };
  });
}

/** An id for the state, as the classic client shows one after each step; the last one's is the image's. */
export function stateIdOf(state: BuildState, epochMs?: number): Digest {
  const rootfs = { type: 'layers', diff_ids: state.layers.map(layer => layer.diffId) };
  return digestOf(JSON.stringify({ ...imageConfigOf(state, { epochMs }), rootfs }));
}
