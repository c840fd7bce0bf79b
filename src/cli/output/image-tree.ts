import type { ImageSummary, ManifestSummary } from '../../api/images.ts';
import type { Output } from './output.ts';
import { humanSize } from './units.ts';

/** A line of the tree: an image under its last name, another name of it, or one of its platforms. */
interface TreeLine {
  name: string;
  id?: string;
  diskUsage?: string;
  contentSize?: string;
  inUse?: boolean;
}

/** Images with their platforms below them, as `docker images --tree` draws them, without colours. */
export function printImageTree(
  out: Output,
  images: readonly ImageSummary[],
  { all }: { all: boolean },
): void {
  const shown = images.filter(image => all || (image.RepoTags ?? []).length > 0);
  const blocks = [...shown].sort((a, b) => b.Created - a.Created).map(linesOf);
  const apart = shown.some(image => platformsOf(image).length > 0);
  const width = Math.max('IMAGE'.length, ...blocks.flat().map(({ name }) => name.length));
  const heading = { name: 'IMAGE', id: 'ID', diskUsage: 'DISK USAGE', contentSize: 'CONTENT SIZE' };
  out.line(`${row(heading, width)}   EXTRA`);
  for (const block of blocks) {
    for (const line of block) out.line(`${row(line, width)}${line.inUse === true ? '   U' : ''}`.trimEnd());
    if (apart) out.line('');
  }
}

function linesOf(image: ImageSummary): TreeLine[] {
  const platforms = platformsOf(image);
  const names = (image.RepoTags ?? []).length > 0 ? image.RepoTags! : ['<untagged>'];
  const content = platforms.reduce((sum, { Size }) => sum + Size.Content, 0);
  const details: TreeLine = {
    name: names.at(-1)!,
    id: shortId(image.Id),
    diskUsage: humanSize(image.Size, 3),
    contentSize: humanSize(content, 3),
    inUse: image.Containers > 0,
  };
  return [...names.slice(0, -1).map(name => ({ name })), details, ...platforms.map(platformLine)];
}

function platformLine(manifest: ManifestSummary, index: number, all: readonly ManifestSummary[]): TreeLine {
  const { os = '', architecture = '', variant } = manifest.ImageData?.Platform ?? {};
  const platform = [os, architecture, ...(variant ? [variant] : [])].join('/');
  return {
    name: `${index === all.length - 1 ? '└─' : '├─'} ${platform}`,
    id: shortId(manifest.ID),
    diskUsage: humanSize(manifest.Size.Total, 3),
    contentSize: humanSize(manifest.Size.Content, 3),
    inUse: (manifest.ImageData?.Containers ?? []).length > 0,
  };
}

function platformsOf(image: ImageSummary): ManifestSummary[] {
  return (image.Manifests ?? []).filter(({ Kind }) => Kind === 'image');
}

function row({ name, id = '', diskUsage = '', contentSize = '' }: TreeLine, width: number): string {
  return [name.padEnd(width), id.padEnd(12), diskUsage.padStart(10), contentSize.padStart(12)].join('   ');
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
