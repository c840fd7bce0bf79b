import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { runOrThrow } from './run-program.ts';

/**
 * `busybox:latest` as `docker load` takes it, made from the host's static busybox; the same bytes, and so
 * the same image id, on every run.
 *
 *     manifest.json   [{Config, RepoTags, Layers}]
 *     <digest>.json   the image configuration
 *     layer.tar       /bin/busybox, a link for each applet, /etc/passwd with root, nobody and app (1000)
 */
export function busyboxArchive(): Promise<string> {
  return cached('busybox-2.tar', async (target, scratch) => {
    const root = join(scratch, 'root');
    const archive = join(scratch, 'archive');
    mkdirSync(archive);
    await layOutBusybox(root);
    const layer = join(archive, 'layer.tar');
    await packReproducibly(root, layer);
    const config = JSON.stringify(imageConfig(sha256(readFileSync(layer))));
    const configName = `${sha256(Buffer.from(config))}.json`;
    writeFileSync(join(archive, configName), config);
    const manifest = [{ Config: configName, RepoTags: ['busybox:latest'], Layers: ['layer.tar'] }];
    writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest));
    await packReproducibly(archive, target);
  });
}

/** Packs a folder so that the same content gives the same bytes. */
export function packReproducibly(directory: string, target: string): Promise<string> {
  const stable = ['--sort=name', '--numeric-owner', '--mtime=@1700000000', '--format=gnu'];
  return runOrThrow(['tar', ...stable, '-C', directory, '-cf', target, '.']);
}

async function layOutBusybox(root: string): Promise<void> {
  for (const name of ['bin', 'etc', 'root', 'tmp', 'home/app', 'var/www', 'usr/bin']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const applet of (await runOrThrow(['/bin/busybox', '--list'])).trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  chmodSync(join(root, 'root'), 0o700);
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\napp:x:1000:1000:app:/home/app:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\nstaff:x:50:app\napp:x:1000:\n');
  await runOrThrow(['chown', '-R', '0:0', root]);
  await runOrThrow(['chown', '1000:1000', join(root, 'home/app')]);
}

function imageConfig(diffId: string): unknown {
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    config: { Cmd: ['sh'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    created: '2023-11-14T22:13:20Z',
    history: [{ created: '2023-11-14T22:13:20Z', created_by: 'busybox' }],
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
  };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
