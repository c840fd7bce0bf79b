import type { ContainerCreateRequest, ContainerInspect } from '../api/containers.ts';
import type { EndpointSettings } from '../api/networks.ts';
import type { Client } from '../client/client.ts';
import { act, perform } from '../client/operation.ts';
import { containerOperations, networkOperations, volumeOperations } from '../client/operations.ts';
import { EngineError, kindOf, messageOf, within } from '../stdx/errors.ts';
import { Semaphore } from '../stdx/limits.ts';
import { isAtLeast } from './api-version.ts';
import { fileArchives } from './files.ts';
import { type HookedContainer, type HookOutput, runHooks, runHooksBeforeStop } from './hooks.ts';
import type { Observed } from './observed.ts';
import { type Action, type Plan, type Step, showAction } from './plan/plan.ts';
import type { Dependency, Project } from './project.ts';
import { containerRequest, endpointRequest } from './requests/container.ts';
import { networkRequest, volumeRequest } from './requests/resources.ts';
import { sharedServices } from './shared-services.ts';

export interface Execution {
  client: Client;
  project: Project;
  observed: Observed;
  /** What each service's containers are made of; all of them are on the daemon. */
  images: Readonly<Record<string, { reference: string; digest: string }>>;
  /** The project's variables: configs and secrets may come from them. */
  environment: ReadonlyMap<string, string>;
  configFiles: readonly string[];
  environmentFiles: readonly string[];
  workingDirectory: string;
  /** Seconds until a container that is stopped is killed; undefined: as it says itself. */
  stopTimeout?: number | undefined;
  onStep(step: Step, phase: 'begun' | 'done' | 'failed'): void;
  /** Told when a container runs; its hooks come after it. */
  onStarted?(name: string): void;
  /** What takes the output of a container's `post_start` hooks; undefined: nobody looks. */
  hookOutput?: ((name: string) => HookOutput) | undefined;
  /** How many steps are taken at once; undefined: all that can be. Waiting does not count. */
  parallel?: number | undefined;
  /** Steps are told of, and not taken. */
  dryRun?: boolean;
  /** Ends waiting. */
  signal?: AbortSignal;
}

/**
 * Carries a plan out: every step as soon as those before it are done. After a failure nothing new is begun; what runs is
 * waited for.
 * @throws the first failure, with what was being done
 */
export async function executePlan(plan: Plan, execution: Execution): Promise<void> {
  const executor = new Executor(execution);
  const turns = execution.parallel === undefined ? undefined : new Semaphore(execution.parallel);
  const done = new Map<number, Promise<boolean>>();
  let failure: unknown;
  for (const step of plan) {
    const before = step.after.map(id => done.get(id)!);
    done.set(step.id, run(step, before));
  }
  await Promise.all(done.values());
  if (failure !== undefined) throw failure;

  async function run(step: Step, before: readonly Promise<boolean>[]): Promise<boolean> {
    const ready = await Promise.all(before);
    if (ready.includes(false)) return false;
    return turns === undefined || step.action.do === 'wait for service'
      ? take(step)
      : turns.run(() => take(step));
  }

  async function take(step: Step): Promise<boolean> {
    if (failure !== undefined || execution.signal?.aborted) return false;
    execution.onStep(step, 'begun');
    try {
      if (!execution.dryRun) await executor.carryOut(step.action);
      execution.onStep(step, 'done');
      return true;
    } catch (error) {
      failure ??= within(showAction(step.action), error);
      execution.onStep(step, 'failed');
      return false;
    }
  }
}

class Executor {
  readonly #execution: Execution;
  readonly #client: Client;
  readonly #project: Project;
  /** Ids by name. */
  readonly #ids: Map<string, string>;
  /** The containers of each service, those made here too. */
  readonly #byService = new Map<string, string[]>();

  constructor(execution: Execution) {
    this.#execution = execution;
    this.#client = execution.client;
    this.#project = execution.project;
    this.#ids = new Map(execution.observed.containers.map(({ name, id }) => [name, id]));
    for (const { service, id, oneOff } of execution.observed.containers) if (!oneOff) this.#keep(service, id);
  }

  #keep(service: string, id: string): void {
    this.#byService.set(service, [...(this.#byService.get(service) ?? []), id]);
  }

  async carryOut(action: Action): Promise<void> {
    const client = this.#client;
    switch (action.do) {
      case 'create network':
        await perform(client, networkOperations.create, { json: networkRequest(this.#project, action.key) });
        return;
      case 'remove network':
        await ignoringAbsence(act(client, networkOperations.remove, { path: { id: action.name } }));
        return;
      case 'create volume':
        await perform(client, volumeOperations.create, { json: volumeRequest(this.#project, action.key) });
        return;
      case 'remove volume':
        await ignoringAbsence(act(client, volumeOperations.remove, { path: { name: action.name } }));
        return;
      case 'create container':
        return this.#createContainer(action);
      case 'start container':
        return this.#startContainer(action);
      case 'stop container':
        await runHooksBeforeStop(client, this.#project, this.#hooked(action));
        await ignoringAbsence(
          act(client, containerOperations.stop, {
            path: { id: this.#id(action.name) },
            query: { t: this.#execution.stopTimeout },
          }),
        );
        return;
      case 'remove container':
        return this.#removeContainer(action);
      case 'rename container':
        await act(client, containerOperations.rename, {
          path: { id: this.#id(action.name) },
          query: { name: action.to },
        });
        this.#ids.set(action.to, this.#id(action.name));
        return;
      case 'disconnect container':
        await ignoringAbsence(
          act(client, networkOperations.disconnect, {
            path: { id: action.network },
            json: { Container: this.#id(action.name), Force: true },
          }),
        );
        return;
      case 'connect container': {
        const { service, number, key, network, name } = action;
        const settings = endpointRequest(this.#project, service, key, { name, number });
        await this.#connect(network, this.#id(name), settings);
        return;
      }
      case 'wait for service':
        return this.#waitFor(action);
    }
  }

  #id(name: string): string {
    return this.#ids.get(name) ?? name;
  }

  #hooked({ service, name }: { service: string; name: string }): HookedContainer {
    return { id: this.#id(name), service };
  }

  async #startContainer(action: Action & { do: 'start container' }): Promise<void> {
    const { name } = action;
    const { hookOutput, onStarted } = this.#execution;
    await act(this.#client, containerOperations.start, { path: { id: this.#id(name) } });
    onStarted?.(name);
    const output = hookOutput && (() => hookOutput(name));
    await runHooks(this.#client, 'post_start', this.#project, this.#hooked(action), output);
  }

  async #createContainer({
    service,
    number,
    name,
    replaces,
    renewsVolumes,
    oneOff,
  }: Action & { do: 'create container' }): Promise<void> {
    const project = this.#project;
    const inheritedVolumes =
      replaces === undefined || renewsVolumes
        ? new Map<string, string>()
        : await this.#anonymousVolumes(replaces);
    const request = containerRequest(project, service, {
      number,
      name,
      oneOff,
      image: this.#execution.images[service]!,
      sharedContainers: Object.fromEntries(
        sharedServices(project.services[service]!).map(other => [
          other,
          this.#byService.get(other)?.[0] ?? '',
        ]),
      ),
      inheritedVolumes,
      configFiles: this.#execution.configFiles,
      environmentFiles: this.#execution.environmentFiles,
      workingDirectory: this.#execution.workingDirectory,
    });
    const { platform } = project.services[service]!;
    const { Id } = await this.#create(request, { name, platform });
    this.#ids.set(name, Id);
    if (oneOff === undefined) this.#keep(service, Id);
    for (const { path, archive } of fileArchives(project, service, this.#execution.environment))
      await act(this.#client, containerOperations.writeArchive, {
        path: { id: Id },
        query: { path, copyUIDGID: true },
        body: archive,
      });
  }

  /** Before API 1.44 a container is made with one network, and connected to the others afterwards. */
  async #create(request: ContainerCreateRequest, query: { name: string; platform?: string | undefined }) {
    const endpoints = Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {});
    const takesAll = isAtLeast(await this.#client.version(), '1.44');
    if (takesAll || endpoints.length < 2)
      return perform(this.#client, containerOperations.create, { query, json: request });
    const [first, ...others] = endpoints;
    const json = { ...request, NetworkingConfig: { EndpointsConfig: Object.fromEntries([first!]) } };
    const created = await perform(this.#client, containerOperations.create, { query, json });
    for (const [id, EndpointConfig] of others) await this.#connect(id, created.Id, EndpointConfig);
    return created;
  }

  async #connect(id: string, Container: string, EndpointConfig: Partial<EndpointSettings>): Promise<void> {
    await act(this.#client, networkOperations.connect, { path: { id }, json: { Container, EndpointConfig } });
  }

  /** What a container that is replaced has in volumes without a name goes on to the next one. */
  async #anonymousVolumes(name: string): Promise<Map<string, string>> {
    const { Mounts, Config } = await this.#inspect(name);
    const anonymous = Mounts.filter(({ Type, Name, Destination }) => {
      if (Type !== 'volume' || Name === undefined) return false;
      return /^[0-9a-f]{64}$/.test(Name) || Destination in (Config.Volumes ?? {});
    });
    return new Map(anonymous.map(({ Destination, Name }) => [Destination, Name!]));
  }

  async #removeContainer({
    service,
    name,
    volumes = false,
  }: Action & { do: 'remove container' }): Promise<void> {
    const id = this.#id(name);
    await ignoringAbsence(
      act(this.#client, containerOperations.remove, { path: { id }, query: { force: true, v: volumes } }),
    );
    this.#byService.set(
      service,
      (this.#byService.get(service) ?? []).filter(other => other !== id),
    );
  }

  async #waitFor({ service, condition, required }: Action & { do: 'wait for service' }): Promise<void> {
    try {
      await Promise.all(
        (this.#byService.get(service) ?? []).map(id => this.#waitForContainer(id, condition)),
      );
    } catch (error) {
      if (required || this.#execution.signal?.aborted) throw error;
    }
  }

  async #waitForContainer(id: string, condition: Dependency['condition']): Promise<void> {
    if (condition === 'service_completed_successfully') {
      const { StatusCode } = await perform(this.#client, containerOperations.wait, {
        path: { id },
        query: { condition: 'not-running' },
        ...(this.#execution.signal === undefined ? {} : { signal: this.#execution.signal }),
      });
      const { Name } = await this.#inspect(id);
      if (StatusCode !== 0)
        throw new EngineError(
          'conflict',
          `service ${JSON.stringify(Name.slice(1))} didn't complete successfully: exit ${StatusCode}`,
        );
      return;
    }
    for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 500)) {
      const { State, Name } = await this.#inspect(id);
      const name = Name.slice(1);
      if (State.Status === 'exited' || State.Status === 'dead')
        throw new EngineError('conflict', `container ${name} exited (${State.ExitCode})`);
      if (State.Health === undefined)
        throw new EngineError('conflict', `container ${name} has no healthcheck configured`);
      if (State.Health.Status === 'healthy') return;
      if (State.Health.Status === 'unhealthy')
        throw new EngineError('conflict', `container ${name} is unhealthy`);
      if (this.#execution.signal?.aborted) throw new EngineError('cancelled', 'interrupted');
      await new Promise(resolve => setTimeout(resolve, waitMs));
    }
  }

  #inspect(name: string): Promise<ContainerInspect> {
    return perform(this.#client, containerOperations.inspect, { path: { id: this.#id(name) } });
  }
}

/** Somebody else may have been faster. */
async function ignoringAbsence(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (
      kindOf(error) !== 'notFound' &&
      !/No such container|not found|is not connected to/i.test(messageOf(error))
    )
      throw error;
  }
}
