import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  Executor,
  ExecutorIo,
  ExecutorMount,
  ExecutorResult,
  ExecutorStep,
  ExecutorTerminal,
} from '../build/executor.ts';
import type { Endpoint } from '../network/network.ts';
import type { RuntimeMount } from '../oci/runtime-spec.ts';
import type { AttachStream } from '../runtime/attach.ts';
import { allHostDevices } from '../runtime/devices.ts';
import { SIGKILL } from '../runtime/signals.ts';
import { planSpec, type SpecInput } from '../runtime/spec.ts';
import { EngineError } from '../stdx/errors.ts';
import { Undo } from '../stdx/undo.ts';
import { showAgents, showSecrets } from './build-credentials.ts';
import { pumpStream } from './containers/attach.ts';
import { namespacePathOf } from './containers/network.ts';
import { resolveUserIn } from './containers/root.ts';
import { rootOwner } from './containers/user-namespace.ts';
import type { EngineContext } from './context.ts';
import { ForeignProgram } from './foreign-program.ts';

/**
 * Runs the processes of RUN steps: short-lived containers that no row knows. They go through the same runtime and
 * network as all others; what a killed daemon leaves of them belongs to nobody and is removed at the next start.
 */
export class BuildExecutor implements Executor {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  run(step: ExecutorStep, io: ExecutorIo, signal: AbortSignal): Promise<ExecutorResult> {
    return this.#whileMapped(step, () => this.#run(step, io, signal));
  }

  async converse(
    step: ExecutorStep,
    terminal: ExecutorTerminal,
    signal: AbortSignal,
  ): Promise<ExecutorResult> {
    const nowhere = { stdout: () => {}, stderr: () => {} };
    const result = await this.#whileMapped(step, () => this.#run(step, nowhere, signal, terminal));
    await result.released;
    return result;
  }

  async #whileMapped(step: ExecutorStep, work: () => Promise<ExecutorResult>): Promise<ExecutorResult> {
    const { snapshots, mapped } = this.#context.storage;
    if (mapped === undefined) return work();
    return snapshots.whileMapped(step.rootfs, async () => {
      const result = await work();
      await result.released;
      return result;
    });
  }

  async #run(
    step: ExecutorStep,
    io: ExecutorIo,
    signal: AbortSignal,
    terminal?: ExecutorTerminal,
  ): Promise<ExecutorResult> {
    const { runtime, network, storage, log } = this.#context;
    runtime.anticipateStart();
    const undo = new Undo();
    try {
      undo.push('the network', () => network.release(step.id));
      const endpoint = this.#allocate(step);
      const directory = join(storage.paths.containers, `build-${step.id}`);
      undo.push('the files', () => rmSync(directory, { recursive: true, force: true }));
      const files = this.#writeFiles(step, directory);
      const mounts = this.#stepMounts(step, undo);
      const secrets = showSecrets(this.#context, step, undo);
      const agents = await showAgents(this.#context, step, directory, undo);
      const input = this.#specInput(step, [...files, ...mounts, ...secrets.mounts, ...agents]);
      const conversation =
        terminal === undefined ? {} : { converse: this.#conversation(step.id, terminal, signal) };
      const foreign = new ForeignProgram();
      const { exitCode, removed } = await runtime.runDirect({
        id: step.id,
        spec: planSpec(terminal === undefined ? input : onTerminal(input, terminal), runtime.host),
        ...conversation,
        stdout: io.stdout,
        stderr: chunk => io.stderr(foreign.shown(chunk)),
        signal,
        beforeStart: pid => {
          secrets.release();
          this.#connect(step, endpoint, pid);
        },
      });
      undo.push('the container', () => removed);
      return { exitCode: foreign.exitCode(exitCode), released: undo.run(log) };
    } catch (error) {
      await undo.run(log);
      throw error;
    }
  }

  /** Who leaves ends the process, as nobody could come back to it. */
  #conversation(id: string, { input, output, started }: ExecutorTerminal, signal: AbortSignal) {
    const { runtime } = this.#context;
    return async (stream: AttachStream): Promise<void> => {
      started(size => runtime.resize(id, undefined, { rows: size.rows, cols: size.columns }));
      const leave = () => void runtime.kill(id, SIGKILL).catch(() => {});
      output.once('close', leave);
      signal.addEventListener('abort', leave, { once: true });
      await pumpStream(stream, { input, stdout: output, closesStdin: false });
      output.off('close', leave);
      signal.removeEventListener('abort', leave);
    };
  }

  #allocate(step: ExecutorStep): Endpoint | undefined {
    if (step.network === 'host' && this.#context.storage.mapped !== undefined) {
      throw new EngineError(
        'invalid',
        "cannot share the host's network namespace when user namespaces are enabled",
      );
    }
    if (step.network === 'host') return undefined;
    return this.#context.network.allocate({
      containerId: step.id,
      containerName: step.hostname,
      network: step.network === 'default' ? 'bridge' : step.network,
    });
  }

  #connect(step: ExecutorStep, endpoint: Endpoint | undefined, pid: number): void {
    const { network } = this.#context;
    const path = namespacePathOf(pid);
    if (endpoint === undefined) return;
    network.connect(endpoint, path, { interfaceName: 'eth0' });
    if (network.needsResolver(step.id)) network.startResolver(step.id, path, { dns: [], dnsOptions: [] });
  }

  #writeFiles(step: ExecutorStep, directory: string): RuntimeMount[] {
    const texts = this.#context.network.filesFor({
      containerId: step.id,
      hostname: step.hostname,
      domainname: '',
      networkMode: step.network,
      extraHosts: step.extraHosts,
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
    });
    const owner = rootOwner(this.#context.storage.mapped?.mappings);
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    const files = { hosts: texts.hosts, 'resolv.conf': texts.resolvConf };
    return Object.entries(files).map(([name, text]): RuntimeMount => {
      const source = join(directory, name);
      writeFileSync(source, text, { mode: 0o644 });
      chownSync(source, owner.uid, owner.gid);
      return { destination: `/etc/${name}`, source, type: 'bind', options: ['rbind', 'rprivate'] };
    });
  }

  /** What the engine itself has on disk is shown with the owners that the step's user namespace has for it. */
  #stepMounts(step: ExecutorStep, undo: Undo): RuntimeMount[] {
    const { mapped } = this.#context.storage;
    const plain = step.mounts.filter(mount => mount.type === 'bind' || mount.type === 'tmpfs');
    return plain.map(mount => {
      if (mount.type === 'tmpfs' || mapped === undefined) return stepMount(mount);
      const view = mapped.show(mount.source);
      undo.push('the view of a mount', view.release);
      return stepMount({ ...mount, source: view.path });
    });
  }

  #specInput(step: ExecutorStep, mounts: RuntimeMount[]): SpecInput {
    const user = resolveUserIn(step.rootfs, step.user, []);
    const { limits, privileged } = step;
    const mappings = this.#context.storage.mapped?.mappings;
    if (privileged && mappings !== undefined)
      throw new EngineError('invalid', 'security.insecure is not possible when user namespaces are enabled');
    const hasHome = step.env.some(entry => entry.startsWith('HOME='));
    return {
      id: step.id,
      rootfs: step.rootfs,
      hostname: step.hostname,
      process: {
        args: step.args,
        env: [...step.env, ...(hasHome ? [] : [`HOME=${user.home}`])],
        cwd: step.cwd,
        uid: user.uid,
        gid: user.gid,
        additionalGids: user.additionalGids,
        tty: false,
        capabilities: { add: [], drop: [], privileged },
        noNewPrivileges: this.#context.settings.noNewPrivileges,
        rlimits: limits.ulimits.map(({ name, soft, hard }) => ({
          type: `RLIMIT_${name.toUpperCase()}`,
          soft,
          hard,
        })),
      },
      mounts,
      privileged,
      devices: privileged ? allHostDevices() : [],
      shmSizeBytes: limits.shmSizeBytes || this.#context.settings.defaultShmSizeBytes,
      namespaces: {
        pid: 'private',
        ipc: 'private',
        uts: 'private',
        network: step.network === 'host' ? 'host' : 'private',
        cgroup: this.#context.runtime.info.cgroupVersion === 2 ? 'private' : 'host',
        user: mappings === undefined ? 'host' : 'private',
      },
      idMappings: mappings,
      resources: limits,
      cgroupsPath: join('/', limits.cgroupParent || this.#context.settings.cgroupParent || 'gantry', step.id),
      security: { seccomp: this.#context.settings.seccomp.profile },
    };
  }
}

function onTerminal(input: SpecInput, { size }: ExecutorTerminal): SpecInput {
  const { rows, columns } = size;
  const env = input.process.env.some(pair => pair.startsWith('TERM='))
    ? input.process.env
    : [...input.process.env, 'TERM=xterm'];
  const consoleSize = rows === 0 || columns === 0 ? undefined : { rows, cols: columns };
  return { ...input, process: { ...input.process, env, tty: true, consoleSize } };
}

function stepMount(mount: ExecutorMount & { type: 'bind' | 'tmpfs' }): RuntimeMount {
  if (mount.type === 'tmpfs') {
    const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
    return {
      destination: mount.target,
      source: 'tmpfs',
      type: 'tmpfs',
      options: ['nosuid', 'nodev', ...size, ...(mount.readOnly === true ? ['ro'] : [])],
    };
  }
  const options = ['rbind', 'rprivate', ...(mount.readOnly ? ['ro'] : [])];
  return { destination: mount.target, source: mount.source, type: 'bind', options };
}
