import { createHash, randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/**
 * A registry whose one repository, `lie`, has a tag for each way to be wrong; `truth` is right. Started as
 * a program inside a test's world: `node lying-registry.ts PORT`; prints a line once it listens.
 */
interface Blob {
  digest: string;
  /** What is sent, whatever the digest says. */
  bytes: Buffer;
  cut?: boolean;
  status?: number;
  /** The first half comes, and then nothing more; the rest is there for who asks for it. */
  stalls?: boolean;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const blobs = new Map<string, Blob>();
const manifests = new Map<string, Buffer>();

const honestTar = tarOf('file', 'honest\n');
offer('truth', honestTar, blob => blob);
offer('wrong-layer', tarOf('file', 'wanted\n'), blob => ({
  ...blob,
  bytes: gzipSync(tarOf('file', 'tampered\n')),
}));
offer('cut-layer', Buffer.concat([tarOf('file', 'x'.repeat(400_000))]), blob => ({ ...blob, cut: true }));
offer('stalling-layer', tarOf('file', randomBytes(4_000_000).toString('hex')), blob => ({
  ...blob,
  stalls: true,
}));
offer('garbage-layer', Buffer.from('this is no archive '.repeat(100)), blob => blob);
offer('error-500', tarOf('file', 'never sent\n'), blob => ({ ...blob, status: 500 }));
offer('climbing-layer', tarOf('../../../../../../gantry-escape', 'escaped\n'), blob => blob);
offer('wrong-config', tarOf('file', 'config\n'), blob => blob, Buffer.from('{"os":"linux","tampered":true}'));
manifests.set('garbage-manifest', Buffer.from('{"schemaVersion": 2, "layers": [{'));

createServer((request, response) => {
  const path = request.url ?? '';
  const manifest = /^\/v2\/lie\/manifests\/(.+)$/.exec(path)?.[1];
  const digest = /^\/v2\/lie\/blobs\/(.+)$/.exec(path)?.[1];
  if (path === '/v2/')
    response.writeHead(200, { 'docker-distribution-api-version': 'registry/2.0' }).end('{}');
  else if (manifest) sendManifest(manifest, request.method, response);
  else if (digest && blobs.has(digest)) sendBlob(blobs.get(digest)!, response, request.headers.range);
  else response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN","message":"not here"}]}');
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));

function offer(tag: string, tar: Buffer, change: (blob: Blob) => Blob, sentConfig?: Buffer): void {
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Cmd: ['true'], Labels: { tag } },
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      history: [{ created_by: tag }],
    }),
  );
  blobs.set(sha256(layer), change({ digest: sha256(layer), bytes: layer }));
  blobs.set(sha256(config), { digest: sha256(config), bytes: sentConfig ?? config });
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: config.length,
      digest: sha256(config),
    },
    layers: [
      {
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        size: layer.length,
        digest: sha256(layer),
      },
    ],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  manifests.set(tag, bytes);
  manifests.set(sha256(bytes), bytes);
}

function sendManifest(name: string, method: string | undefined, response: ServerResponse): void {
  const bytes = manifests.get(name);
  if (!bytes)
    return void response
      .writeHead(404)
      .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  response.writeHead(200, {
    'content-type': 'application/vnd.docker.distribution.manifest.v2+json',
    'content-length': bytes.length,
    'docker-content-digest': sha256(bytes),
  });
  response.end(method === 'HEAD' ? undefined : bytes);
}

function sendBlob(blob: Blob, response: ServerResponse, range: string | undefined): void {
  if (blob.stalls) return void stall(blob, response, range);
  if (blob.status)
    return void response.writeHead(blob.status).end('{"errors":[{"code":"UNKNOWN","message":"broken"}]}');
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': blob.bytes.length,
  });
  if (!blob.cut) return void response.end(blob.bytes);
  response.write(blob.bytes.subarray(0, blob.bytes.length >> 1), () => response.destroy());
}

function stall({ bytes }: Blob, response: ServerResponse, range: string | undefined): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  if (range !== undefined) {
    console.log(`range ${start} of ${bytes.length}`);
    response.writeHead(206, {
      'content-length': bytes.length - start,
      'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    });
    return void response.end(bytes.subarray(start));
  }
  response.writeHead(200, { 'content-length': bytes.length });
  response.write(bytes.subarray(0, bytes.length >> 1));
}

/** One regular file in a ustar archive, with any name at all. */
function tarOf(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body, Buffer.alloc(1024)]);
}
