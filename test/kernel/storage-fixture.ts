import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { TarHeader } from '../../src/archive/tar-header.ts';
import { readTar, type TarEntry } from '../../src/archive/tar-reader.ts';
import { type TarHeaderInit, TarWriter } from '../../src/archive/tar-writer.ts';
import { listMounts, mount, unmount } from '../../src/linux/mount.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { silentLog } from '../../src/stdx/log.ts';
import type { Layer } from '../../src/storage/layers.ts';
import type { SnapshotDriverName } from '../../src/storage/snapshot-drivers.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';

/** A folder in memory (syncing a busy disk takes long) that is gone after the test, with whatever was mounted in it. */
export function temporaryFolder(
  t: TestContext,
  options: { onDisk?: boolean; sizeBytes?: number } = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-storage-'));
  if (options.onDisk !== true) {
    mount({
      source: 'tmpfs',
      target: folder,
      type: 'tmpfs',
      data: `mode=755,size=${options.sizeBytes ?? 256 << 20}`,
    });
  }
  t.after(() => {
    for (const { mountPoint } of listMounts(folder).reverse()) unmount(mountPoint, { detach: true });
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A storage of its own, closed after the test. */
export async function temporaryStorage(
  t: TestContext,
  folder = temporaryFolder(t),
  storageDriver?: SnapshotDriverName,
): Promise<Storage> {
  const storage = await openStorage({
    dataRoot: join(folder, 'data'),
    execRoot: join(folder, 'exec'),
    log: silentLog,
    storageDriver,
  });
  t.after(() => storage.close());
  return storage;
}

export type EntryInit = TarHeaderInit & { content?: string | Buffer };

export async function tarOf(entries: readonly EntryInit[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const writer = new TarWriter(bytes => void chunks.push(Buffer.from(bytes)));
  for (const { content, ...header } of entries) await writer.add(header, content);
  await writer.end();
  return Buffer.concat(chunks);
}

export function file(
  name: string,
  content: string | Buffer = name,
  more: Partial<TarHeader> = {},
): EntryInit {
  return { name, type: 'file', content, ...more };
}

export function directory(name: string, more: Partial<TarHeader> = {}): EntryInit {
  return { name, type: 'directory', ...more };
}

export function symlink(name: string, linkName: string): EntryInit {
  return { name, type: 'symlink', linkName };
}

export function hardlink(name: string, linkName: string): EntryInit {
  return { name, type: 'hardlink', linkName };
}

export async function applyTar(
  storage: Storage,
  tar: Buffer,
  options: { parent?: Digest; diffId?: Digest; owner?: string } = {},
): Promise<Layer> {
  return storage.layers.apply({ owner: 'test', ...options, source: Readable.from([tar]) });
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `name` and for files `name=content`, in the archive's order. */
export async function listTar(tar: AsyncIterable<Uint8Array>): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of readTar(tar)) found.push(await describe(entry));
  return found;
}

async function describe({ header, body }: TarEntry): Promise<string> {
  const content = (await bytesOf(body)).toString();
  if (header.type === 'file') return `${header.name}=${content}`;
  return header.linkName === '' ? header.name : `${header.name}->${header.linkName}`;
}
