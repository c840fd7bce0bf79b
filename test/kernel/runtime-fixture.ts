import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { detectCgroups, removeCgroup } from '../../src/linux/cgroups.ts';
import type { RuntimeSpec } from '../../src/oci/runtime-spec.ts';
import type { AttachStream, OutputStream } from '../../src/runtime/attach.ts';
import type { ExitStatus } from '../../src/runtime/container-state.ts';
import { Runtime } from '../../src/runtime/runtime.ts';
import { type ProcessInput, planSpec, type SpecInput } from '../../src/runtime/spec.ts';
import { silentLog } from '../../src/stdx/log.ts';

/** A root of busybox, a Runtime, and short ways to run containers in them, all in one temporary folder. */
export class Fixture {
  readonly root: string = realpathSync(mkdtempSync(join(tmpdir(), 'rt-')));
  readonly rootfs: string = join(this.root, 'rootfs');
  readonly execRoot: string = join(this.root, 'x');
  readonly cgroupParent: string = `/gantry-test-${process.pid}`;
  runtime!: Runtime;
  #count = 0;

  async open(defaultRuntime?: string): Promise<void> {
    for (const name of ['bin', 'etc', 'proc', 'dev', 'sys', 'tmp'])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    copyFileSync('/bin/busybox', join(this.rootfs, 'bin/busybox'));
    for (const name of 'sh cat echo sleep head stty id ls kill grep dd yes pwd unshare'.split(' ')) {
      symlinkSync('busybox', join(this.rootfs, 'bin', name));
    }
    writeFileSync(join(this.rootfs, 'etc/plain'), 'x');
    chmodSync(join(this.rootfs, 'tmp'), 0o1777);
    await this.reopen(defaultRuntime);
  }

  /** As after a restart of the daemon. */
  async reopen(defaultRuntime?: string): Promise<void> {
    this.runtime?.close();
    this.runtime = await Runtime.probe({
      execRoot: this.execRoot,
      log: silentLog,
      ...(defaultRuntime && { defaultRuntime }),
    });
  }

  async close(): Promise<void> {
    // Nothing was opened when every test was filtered out.
    if (this.runtime === undefined) return rmSync(this.root, { recursive: true });
    await this.runtime.removeLeftovers(new Set());
    this.runtime.close();
    removeCgroup(detectCgroups(), this.cgroupParent);
    rmSync(this.root, { recursive: true });
  }

  newId(): string {
    return `t${process.pid}-${this.#count++}-${'0'.repeat(50)}`;
  }

  spec(id: string, args: string[], process?: Partial<ProcessInput>, more?: Partial<SpecInput>): RuntimeSpec {
    return planSpec(
      {
        id,
        rootfs: this.rootfs,
        hostname: 'box',
        process: this.process(args, process),
        mounts: [],
        shmSizeBytes: 1 << 20,
        namespaces: {
          pid: 'private',
          ipc: 'private',
          uts: 'private',
          network: 'private',
          cgroup: 'host',
          user: 'host',
        },
        resources: {},
        cgroupsPath: `${this.cgroupParent}/${id}`,
        security: { seccomp: 'default' },
        ...more,
      },
      this.runtime.host,
    );
  }

  process(args: string[], more?: Partial<ProcessInput>): ProcessInput {
    const capabilities = { add: [], drop: [], privileged: false };
    return { args, env: ['PATH=/bin'], cwd: '/', uid: 0, gid: 0, tty: false, capabilities, ...more };
  }

  exit(id: string): Promise<ExitStatus> {
    return new Promise(resolve => {
      const stop = this.runtime.onExit(exit => {
        if (exit.id !== id) return;
        stop();
        resolve(exit);
      });
    });
  }
}

/** Everything a stream gives until its end. */
export function collect(stream: AttachStream): Promise<Record<OutputStream, string>> {
  const output = { stdout: '', stderr: '' };
  return new Promise(resolve => {
    stream.onOutput((name, chunk) => {
      output[name] += chunk.toString();
    });
    stream.onEnd(() => resolve(output));
  });
}

/** Settles when the stream has given `text`. */
export function waitFor(stream: AttachStream, text: string): Promise<string> {
  let seen = '';
  return new Promise((resolve, reject) => {
    stream.onOutput((_, chunk) => {
      seen += chunk.toString();
      if (seen.includes(text)) resolve(seen);
    });
    stream.onEnd(() => reject(new Error(`ended without ${text}: ${seen}`)));
  });
}
