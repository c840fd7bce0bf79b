import { randomBytes } from 'node:crypto';
import type { CreateRequest } from '../../src/engine/containers/config.ts';
import type { ContainerRecord, WaitResult } from '../../src/engine/containers/container.ts';
import type { Attachment, Engine, ExecRecord, LogEntries } from '../../src/engine/engine.ts';
import { EventBus } from '../../src/engine/events.ts';
import type { Network } from '../../src/network/network.ts';
import { EngineError } from '../../src/stdx/errors.ts';

/**
 * An engine that runs nothing: containers are records in a map, an attached "process" is a function of the test's.
 * What a test does not need is missing, and fails loudly when it is called.
 */
export class MemoryEngine {
  readonly records = new Map<string, ContainerRecord>();
  readonly execRecords = new Map<string, ExecRecord>();
  readonly events = new EventBus();
  readonly created: CreateRequest[] = [];
  readonly networks: Network[] = [];
  /** What attach and exec connect their clients to. */
  process: Attachment['pump'] = async () => {};
  logEntries: LogEntries | undefined;
  /** Settles the waits. */
  readonly ended = Promise.withResolvers<WaitResult>();
  waiting = 0;
  aborted = 0;

  get engine(): Engine {
    return this as unknown as Engine;
  }

  readonly containers = {
    create: async (request: CreateRequest) => {
      this.created.push(request);
      const record = this.add(request.name ?? 'unnamed');
      return { id: record.id, warnings: [] };
    },
    get: (ref: string) => this.find(ref),
    list: () => [...this.records.values()],
    namesByLinks: () => new Map<string, string[]>(),
    start: async (ref: string) => {
      const { state } = this.find(ref);
      if (state.status === 'running') throw new EngineError('notModified', 'container already started');
      state.status = 'running';
    },
    wait: (ref: string, _condition: string, signal?: AbortSignal) => {
      this.find(ref);
      this.waiting++;
      signal?.addEventListener('abort', () => this.aborted++);
      return this.ended.promise;
    },
    attach: async (ref: string): Promise<Attachment> => ({
      tty: this.find(ref).config.tty,
      pump: client => this.process(client),
    }),
    logs: (_ref: string) => batchesOf(this.logEntries),
    logDetails: () => '',
  };

  readonly execs = {
    get: (id: string) => {
      const record = this.execRecords.get(id);
      if (record === undefined) throw new EngineError('notFound', `No such exec instance: ${id}`);
      return record;
    },
    start: async (id: string): Promise<Attachment> => {
      const record = this.execs.get(id);
      if (record.config.cmd[0] === 'missing') {
        throw new EngineError('invalid', 'exec: "missing": executable file not found in $PATH');
      }
      return { tty: record.config.tty, pump: client => this.process(client) };
    },
  };

  readonly imageStore = {
    find: () => undefined,
    childrenOf: () => [],
    resolve(name: string): never {
      throw new EngineError('notFound', `No such image: ${name}:latest`);
    },
  };

  readonly networkController = {
    list: () => this.networks,
    find: (name: string) => this.networks.find(network => network.name === name),
    endpointsOf: () => [],
    endpointsOfContainer: () => [],
    publishedPorts: () => [],
  };

  find(ref: string): ContainerRecord {
    const record = [...this.records.values()].find(one => one.id === ref || one.name === ref);
    if (record === undefined) throw new EngineError('notFound', `No such container: ${ref}`);
    return record;
  }

  add(
    name: string,
    changes: {
      tty?: boolean;
      status?: ContainerRecord['state']['status'];
      labels?: Record<string, string>;
    } = {},
  ): ContainerRecord {
    const record = {
      id: randomBytes(32).toString('hex'),
      name,
      createdAtMs: Date.now() + this.records.size,
      imageId: `sha256:${'1'.repeat(64)}`,
      path: 'sh',
      args: ['-c', 'echo hello there'],
      config: {
        image: 'busybox',
        tty: changes.tty ?? false,
        labels: changes.labels ?? {},
        exposedPorts: ['80/tcp'],
      },
      hostConfig: { networkMode: 'default', portBindings: {}, annotations: {} },
      endpoints: {},
      mounts: [],
      state: { status: changes.status ?? 'created', exitCode: 0, startedAtMs: 0, finishedAtMs: 0 },
    } as unknown as ContainerRecord;
    this.records.set(record.id, record);
    return record;
  }

  addExec(cmd: string[], tty = false): ExecRecord {
    const record = {
      id: randomBytes(32).toString('hex'),
      containerId: '',
      config: { cmd, tty },
    } as unknown as ExecRecord;
    this.execRecords.set(record.id, record);
    return record;
  }
}

async function* batchesOf(entries: LogEntries | undefined): AsyncGenerator<LogEntries> {
  if (entries !== undefined) yield entries;
}
