import { Readable } from 'node:stream';
import { encodeEnd, encodeHeader, encodePadding } from '../../archive/tar-writer.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import { formatPlatform } from '../platform.ts';
import { type BuildResult, platformFolder } from './result.ts';
import { tarEntries } from './rewrite-times.ts';

/** The files of one platform, as they are handed out. */
export interface ExportedTree {
  root: ConfinedRoot;
  /** The directory that all of it goes into: `linux_arm64`. */
  folder?: string;
  /** Files beside those of the root, at its top. */
  extras: readonly ExtraFile[];
  /** The time of all files; undefined: they have their own. */
  timeMs?: number;
}

export interface ExtraFile {
  name: string;
  content: Buffer;
}

/** @param split a folder for each platform; undefined: if there are several */
export function foldersOf(result: BuildResult, split: boolean | undefined): (string | undefined)[] {
  const folders = split ?? result.several;
  return result.images.map(image => (folders ? platformFolder(image) : undefined));
}

/** Without folders a path may come from one platform only. @throws EngineError `invalid` in BuildKit's words */
export async function refuseCollisions(
  { images }: BuildResult,
  trees: readonly ExportedTree[],
): Promise<void> {
  const seen = new Map<string, string>();
  for (const [index, { root, extras }] of trees.entries()) {
    const platform = formatPlatform(images[index]!.platform);
    const entries = await root.list('/', { recursive: true });
    const files = entries.filter(({ type }) => type !== 'directory').map(({ path }) => path);
    for (const path of [...files, ...extras.map(({ name }) => name)]) {
      const other = seen.get(path);
      if (other !== undefined) {
        const message = `cannot overwrite ${path} from ${other} with ${platform} when split option is disabled`;
        throw new EngineError('invalid', message);
      }
      seen.set(path, platform);
    }
  }
}

/** The files alone, without a top entry. */
export function treesTar(trees: readonly ExportedTree[]): Readable {
  return Readable.from(entriesOf(trees), { objectMode: false, highWaterMark: 1 << 20 });
}

async function* entriesOf(trees: readonly ExportedTree[]): AsyncGenerator<Buffer> {
  for (const { root, folder, extras, timeMs } of trees) {
    const timeNs = timeMs === undefined ? undefined : BigInt(timeMs) * 1_000_000n;
    yield* tarEntries(root.readTar('/', { rename: folder ?? '' }), mtimeNs => timeNs ?? mtimeNs);
    const mtimeNs = timeNs ?? BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    for (const { name, content } of extras) {
      const path = folder === undefined ? name : `${folder}/${name}`;
      const size = content.length;
      yield encodeHeader({ name: path, type: 'file', mode: 0o600, size, mtimeNs });
      yield content;
      if (size % 512 !== 0) yield encodePadding(size);
    }
  }
  yield encodeEnd();
}
