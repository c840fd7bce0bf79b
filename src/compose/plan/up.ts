import { EngineError } from '../../stdx/errors.ts';
import { composeLabels } from '../labels.ts';
import { containerName } from '../names.ts';
import type { Observed, ObservedContainer, ObservedResource } from '../observed.ts';
import { networkHash, serviceHash, volumeHash } from '../print/hash.ts';
import type { Network, Project, Service } from '../project.ts';
import { sharedServices, withSharedContainers } from '../shared-services.ts';
import { type OneOff, type Plan, PlanBuilder } from './plan.ts';

export interface UpOptions {
  /** The services asked for; all when there are none. Those they depend on come along. */
  services: readonly string[];
  /** False: only what was asked for (`--no-deps`). */
  withDependencies: boolean;
  /** Containers that are as they should be are made anew as well, or none is. */
  recreate: 'changed' | 'always' | 'never';
  /** The same, for services that are only depended on. */
  recreateDependencies: boolean;
  /** `--scale`. */
  scale: Readonly<Record<string, number>>;
  /** What is made anew gets anonymous volumes anew (`--renew-anon-volumes`). */
  renewsVolumes?: boolean;
  /** Volumes to be made anew with what uses them: names, of those that are not as the project says. */
  replacedVolumes?: ReadonlySet<string>;
  /** Containers of services that the project no longer has. */
  removeOrphans: boolean;
  /** False: containers are made, not started (`create`, `up --no-start`). */
  start: boolean;
  /** Digests of the services' images, where they are known: another one makes containers anew. */
  imageDigests: Readonly<Record<string, string>>;
  /** `run`: of this service nothing is made but one container, when what it depends on is ready. */
  oneOff?: PlannedOneOff;
}

export interface PlannedOneOff extends OneOff {
  service: string;
  name: string;
}

/**
 * What makes the daemon's state the project's: the least that does.
 * Nothing is asked and nothing is done here.
 * @throws EngineError notFound for an external network or volume that is not there
 */
export function planUp(project: Project, observed: Observed, options: UpOptions): Plan {
  return new UpPlanner(project, observed, options).plan();
}

/** The services asked for and those they depend on, each behind those it depends on. */
export function servicesInOrder(
  project: Project,
  names: readonly string[],
  withDependencies: boolean,
): string[] {
  const ordered: string[] = [];
  const visit = (name: string) => {
    const service = project.services[name];
    if (service === undefined || ordered.includes(name)) return;
    if (withDependencies) for (const other of Object.keys(service.depends_on ?? {}).sort()) visit(other);
    if (!ordered.includes(name)) ordered.push(name);
  };
  const all = names.length === 0 ? Object.keys(project.services).sort() : names;
  all.forEach(visit);
  if (withDependencies || names.length === 0) return ordered;
  // Those asked for may still depend on each other.
  const among = servicesInOrder(project, names, true);
  return among.filter(name => names.includes(name));
}

/** How many containers a service has. */
export function scaleOf(name: string, service: Service, scale: Readonly<Record<string, number>>): number {
  return scale[name] ?? service.scale ?? service.deploy?.replicas ?? 1;
}

/** One container of a service, as it will be. */
interface Planned {
  name: string;
  existing?: ObservedContainer;
  /** The step that made it, when one does. */
  created?: number;
  /** The step that gave it its own name, when one does. */
  renamed?: number;
  /** The steps that put it into networks again: it does not run then. */
  connected?: readonly number[];
}

class UpPlanner {
  readonly #project: Project;
  readonly #observed: Observed;
  readonly #options: UpOptions;
  readonly #steps = new PlanBuilder();
  readonly #networks = new Map<string, number>();
  readonly #volumes = new Map<string, number>();
  /** Containers that go before anything else, by name: the step that removes them. */
  readonly #removed = new Map<string, number>();
  /** The steps after which a service's containers are there. */
  readonly #created = new Map<string, number[]>();
  /** The steps after which they run. */
  readonly #started = new Map<string, number[]>();
  /** Services that got a container anew. */
  readonly #recreated = new Set<string>();
  /** Services with a container that ends and is started again, because a network of its is made anew. */
  readonly #interrupted = new Set<string>();
  /** Containers of networks that are made anew, by name: the networks' keys. */
  readonly #disconnected = new Map<string, string[]>();
  /** Steps that stop a container, by its name. */
  readonly #stops = new Map<string, number>();
  /** Services that this plan is about. */
  #names: readonly string[] = [];
  /** Steps that wait for a service, by service and condition. */
  readonly #waits = new Map<string, number>();

  constructor(project: Project, observed: Observed, options: UpOptions) {
    this.#project = project;
    this.#observed = observed;
    this.#options = options;
  }

  plan(): Plan {
    const names = servicesInOrder(this.#project, this.#options.services, this.#options.withDependencies);
    this.#names = names.filter(name => this.#project.services[name]!.provider === undefined);
    this.#planOrphans();
    this.#planResources(names);
    const { start, oneOff } = this.#options;
    const planned = this.#names
      .filter(name => name !== oneOff?.service)
      .map(name => ({ name, containers: this.#planContainers(name) }));
    if (start) for (const { name, containers } of planned) this.#planStarts(name, containers);
    if (oneOff !== undefined) this.#planOneOff(oneOff);
    this.#planReturns(start ? names : []);
    return this.#steps.steps;
  }

  #planResources(names: readonly string[]): void {
    const used = names.map(name => this.#project.services[name]!);
    for (const [key, network] of sortedEntries(this.#project.networks)) {
      const { name, external } = network;
      if (!used.some(({ networks }) => networks !== undefined && key in networks)) continue;
      const there = this.#observed.networks.get(name);
      if (there !== undefined) {
        if (hasDiverged(network, there)) this.#planReplacedNetwork(key, name);
        continue;
      }
      if (external)
        throw new EngineError('notFound', `network ${name} declared as external, but could not be found`);
      this.#networks.set(key, this.#steps.add({ do: 'create network', key, name }, []));
    }
    for (const [key, { name, external }] of sortedEntries(this.#project.volumes)) {
      if (!used.some(service => usesVolume(service, key))) continue;
      if (this.#observed.volumes.has(name)) {
        if (this.#options.replacedVolumes?.has(name)) this.#planReplacedVolume(key, name);
        continue;
      }
      if (external) throw new EngineError('notFound', `external volume ${JSON.stringify(name)} not found`);
      this.#volumes.set(key, this.#steps.add({ do: 'create volume', key, name }, []));
    }
  }

  /**
   * A network cannot be removed while somebody is in it: the project's containers leave it, and come back as they are.
   * @throws EngineError conflict when another container of the project runs in it
   */
  #planReplacedNetwork(key: string, name: string): void {
    const because = `network ${name} is made anew: its configuration changed`;
    const inIt = this.#observed.containers.filter(({ networks }) => networks.includes(name));
    const foreign = inIt.filter(
      container => !this.#removed.has(container.name) && !this.#isOfService(container),
    );
    const inTheWay = foreign.find(({ running, paused }) => running || paused);
    if (inTheWay !== undefined)
      throw new EngineError(
        'conflict',
        `network ${name} has to be made anew, but container ${inTheWay.name}, which is of no service, is in it`,
      );
    const left = inIt
      .filter(container => this.#isOfService(container))
      .map(container => {
        const stopped = this.#planStop(container, [], because);
        this.#disconnected.set(container.name, [...(this.#disconnected.get(container.name) ?? []), key]);
        return this.#steps.add(
          { do: 'disconnect container', service: container.service, name: container.name, network: name },
          [stopped],
        );
      });
    const gone = inIt.map(container => this.#removed.get(container.name));
    const removed = this.#steps.add({ do: 'remove network', name }, [...left, ...gone], because);
    this.#networks.set(key, this.#steps.add({ do: 'create network', key, name }, [removed]));
  }

  #isOfService({ service, oneOff }: ObservedContainer): boolean {
    return !oneOff && this.#project.services[service] !== undefined;
  }

  /** @returns the steps after which a container is in the networks again that were made anew */
  #planConnections({ name, service, number }: ObservedContainer): number[] {
    const keys = this.#disconnected.get(name) ?? [];
    this.#disconnected.delete(name);
    return keys.map(key => {
      const network = this.#project.networks![key]!.name;
      return this.#steps.add({ do: 'connect container', service, number, name, key, network }, [
        this.#networks.get(key),
      ]);
    });
  }

  /** Containers that nobody asked for and that left a network are in it again, and run if they did. */
  #planReturns(started: readonly string[]): void {
    for (const container of this.#observed.containers) {
      const { name, service, running } = container;
      if (started.includes(service) || !this.#disconnected.has(name)) continue;
      const connected = this.#planConnections(container);
      if (!running) continue;
      const restarted = this.#steps.add({ do: 'start container', service, name }, connected);
      for (const other of this.#observed.containers) {
        const { [other.service]: definition } = this.#project.services;
        if (definition === undefined || !sharedServices(definition).includes(service)) continue;
        if (!other.running || other.oneOff || started.includes(other.service)) continue;
        const stopped = this.#planStop(other, [], `it uses ${service}, which is started again`);
        this.#steps.add({ do: 'start container', service: other.service, name: other.name }, [
          restarted,
          stopped,
        ]);
      }
    }
  }

  /** Everything that has it goes, and is made anew where the project wants it. */
  #planReplacedVolume(key: string, name: string): void {
    const users = this.#observed.containers.filter(container => {
      const service = this.#project.services[container.service];
      return service !== undefined && usesVolume(service, key) && !this.#removed.has(container.name);
    });
    const because = `volume ${name} is made anew`;
    for (const container of users) this.#removed.set(container.name, this.#planRemoval(container, because));
    const removed = this.#steps.add(
      { do: 'remove volume', name },
      users.map(user => this.#removed.get(user.name)),
    );
    this.#volumes.set(key, this.#steps.add({ do: 'create volume', key, name }, [removed]));
  }

  #planOrphans(): void {
    if (!this.#options.removeOrphans) return;
    for (const container of this.#observed.containers) {
      if (!isOrphan(this.#project, container)) continue;
      const removed = this.#planRemoval(
        container,
        container.oneOff ? 'it has done what it was for' : 'the project has no such service',
      );
      this.#removed.set(container.name, removed);
    }
  }

  #planOneOff({ service, name, ...oneOff }: PlannedOneOff): void {
    const { [service]: definition } = this.#project.services;
    this.#steps.add({ do: 'create container', service, number: 1, name, oneOff }, [
      ...this.#needs(definition!),
      ...this.#dependencySteps(definition!),
    ]);
  }

  #planRemoval(container: ObservedContainer, because: string): number {
    const { name, service } = container;
    const stopped = this.#planStop(container, [], because);
    return this.#steps.add({ do: 'remove container', service, name }, [stopped], because);
  }

  /** @returns the step after which it does not run; undefined when it does not run now */
  #planStop(
    { name, service, running, paused }: ObservedContainer,
    after: readonly number[],
    because?: string,
  ): number | undefined {
    if (!running && !paused) return undefined;
    const stop =
      this.#stops.get(name) ?? this.#steps.add({ do: 'stop container', service, name }, after, because);
    this.#stops.set(name, stop);
    return stop;
  }

  /** What wants to be restarted with a service ends before the service's container goes. */
  #planStopOfDependents(service: string, created: number): number[] {
    if (!this.#options.start) return [];
    const dependents = this.#names.filter(
      name => this.#project.services[name]!.depends_on?.[service]?.restart === true,
    );
    return this.#observed.containers
      .filter(container => dependents.includes(container.service) && !container.oneOff)
      .flatMap(
        container =>
          this.#planStop(container, [created], `it depends on ${service}, which is made anew`) ?? [],
      );
  }

  #planContainers(name: string): Planned[] {
    const service = this.#project.services[name]!;
    const wanted = scaleOf(name, service, this.#options.scale);
    const hash = serviceHash(withSharedContainers(service, this.#sharedContainers(service)));
    const found = this.#observed.containers
      .filter(
        container => container.service === name && !container.oneOff && !this.#removed.has(container.name),
      )
      .sort((a, b) => a.number - b.number);
    const twins = this.#twinsAmong(found, container => this.#reason(name, container, hash));
    for (const twin of twins)
      this.#removed.set(twin.name, this.#planRemoval(twin, 'another one has its number'));
    const existing = found.filter(container => !twins.includes(container));
    // What goes first are containers that would have to be made anew anyway, then those with high numbers.
    const surplus = [...existing]
      .sort(
        (a, b) =>
          Number(this.#reason(name, a, hash) === undefined) -
            Number(this.#reason(name, b, hash) === undefined) || b.number - a.number,
      )
      .slice(0, Math.max(0, existing.length - wanted));
    const removed = surplus.map(container =>
      this.#planRemoval(
        container,
        wanted === 0 ? 'no container is wanted' : `${wanted} of ${existing.length} are wanted`,
      ),
    );
    const kept = existing.filter(container => !surplus.includes(container));
    const planned = kept.map(container =>
      this.#planKept(name, container, this.#reason(name, container, hash)),
    );
    const taken = new Set(kept.map(({ number }) => number));
    for (let number = 1; planned.length < wanted; number++) {
      if (taken.has(number)) continue;
      const container = containerName(this.#project, name, number);
      const created = this.#steps.add(
        { do: 'create container', service: name, number, name: container },
        // A container that goes may have the name or the port.
        [...this.#needs(service), ...removed],
      );
      planned.push({ name: container, created });
    }
    this.#created.set(
      name,
      planned.flatMap(({ created }) => created ?? []),
    );
    return planned;
  }

  /**
   * Somebody who made a container in place of another was ended before that one was gone. What can stay stays, what
   * runs before what does not.
   */
  #twinsAmong(
    containers: readonly ObservedContainer[],
    reasonOf: (container: ObservedContainer) => string | undefined,
  ): ObservedContainer[] {
    const better = (a: ObservedContainer, b: ObservedContainer) =>
      Number(reasonOf(b) === undefined) - Number(reasonOf(a) === undefined) ||
      Number(b.running) - Number(a.running) ||
      a.name.length - b.name.length;
    const best = new Map<number, ObservedContainer>();
    for (const container of [...containers].sort(better))
      if (!best.has(container.number)) best.set(container.number, container);
    return containers.filter(container => best.get(container.number) !== container);
  }

  /** The containers that a service's are made with, as they are now. */
  #sharedContainers(service: Service): Record<string, string | undefined> {
    const first = (other: string) =>
      this.#observed.containers
        .filter(
          container => container.service === other && !container.oneOff && !this.#removed.has(container.name),
        )
        .sort((a, b) => a.number - b.number)[0]?.id;
    return Object.fromEntries(sharedServices(service).map(other => [other, first(other)]));
  }

  /** Why a container cannot stay as it is; undefined when it can. */
  #reason(name: string, container: ObservedContainer, hash: string): string | undefined {
    const { recreate, recreateDependencies, services, imageDigests } = this.#options;
    const onlyNeeded = services.length > 0 && !services.includes(name);
    if (recreate === 'never') return undefined;
    if (recreate === 'always' && (!onlyNeeded || recreateDependencies)) return 'it was asked for';
    if (container.configHash !== hash) return 'its configuration changed';
    const digest = imageDigests[name];
    if (digest !== undefined && container.imageDigest !== '' && container.imageDigest !== digest)
      return 'its image changed';
    const joined = sharedServices(this.#project.services[name]!).find(other => this.#recreated.has(other));
    if (joined !== undefined) return `it uses ${joined}, which is made anew`;
    const missing = this.#missingNetwork(name, container);
    return missing === undefined ? undefined : `it is not in network ${missing}`;
  }

  #missingNetwork(name: string, container: ObservedContainer): string | undefined {
    const keys = Object.keys(this.#project.services[name]!.networks ?? {});
    return keys
      .map(key => this.#project.networks?.[key]?.name)
      .find(network => network !== undefined && !container.networks.includes(network));
  }

  #planKept(service: string, existing: ObservedContainer, reason: string | undefined): Planned {
    if (reason === undefined) return this.#planUnchanged(existing);
    this.#recreated.add(service);
    this.#disconnected.delete(existing.name);
    const { number, id } = existing;
    const name = containerName(this.#project, service, number);
    const aside = `${id.slice(0, 12)}_${name}`;
    const created = this.#steps.add(
      {
        do: 'create container',
        service,
        number,
        name: aside,
        replaces: existing.name,
        ...(this.#options.renewsVolumes ? { renewsVolumes: true } : {}),
      },
      this.#needs(this.#project.services[service]!),
      reason,
    );
    const before = [created, ...this.#planStopOfDependents(service, created)];
    // It may have to end for another one already.
    const earlier = this.#stops.get(existing.name);
    const stopped = earlier ?? this.#planStop(existing, before);
    const removed = this.#steps.add(
      { do: 'remove container', service, name: existing.name },
      stopped === undefined || stopped === earlier ? [...before, stopped] : [stopped],
    );
    const renamed = this.#steps.add({ do: 'rename container', service, name: aside, to: name }, [
      removed,
      this.#removed.get(name),
    ]);
    return { name, created: renamed };
  }

  #planUnchanged(existing: ObservedContainer): Planned {
    const { service } = existing;
    const planned: Planned = { name: existing.name, existing, ...this.#planOwnName(existing) };
    if (!this.#options.start || !this.#disconnected.has(existing.name)) return planned;
    this.#interrupted.add(service);
    return { ...planned, connected: this.#planConnections(existing) };
  }

  /** Somebody who made it in place of another was ended before it had that one's name. */
  #planOwnName({ name, service, number }: ObservedContainer): Pick<Planned, 'name' | 'renamed'> | undefined {
    const to = containerName(this.#project, service, number);
    const removed = this.#removed.get(to);
    const isFree = removed !== undefined || this.#observed.containers.every(other => other.name !== to);
    if (!isFree || name.slice(12) !== `_${to}`) return undefined;
    const renamed = this.#steps.add(
      { do: 'rename container', service, name, to },
      [removed],
      'it was left aside',
    );
    return { name: to, renamed };
  }

  /** What must be there before a service's container can be made. */
  #needs({ networks = {}, volumes = [], ...service }: Service): (number | undefined)[] {
    return [
      ...Object.keys(networks).map(key => this.#networks.get(key)),
      ...volumes.map(({ type, source }) => (type === 'volume' ? this.#volumes.get(source ?? '') : undefined)),
      ...sharedServices(service).flatMap(other => this.#created.get(other) ?? []),
    ];
  }

  #planStarts(name: string, containers: readonly Planned[]): void {
    const service = this.#project.services[name]!;
    const toStart = containers.filter(
      ({ existing, created, connected }) =>
        created !== undefined || connected !== undefined || !existing!.running,
    );
    const restarted = this.#restartedWith(service, containers);
    if (toStart.length === 0 && restarted.length === 0) {
      this.#started.set(name, []);
      return;
    }
    const ready = this.#dependencySteps(service);
    const started = [
      ...toStart.map(container =>
        this.#steps.add({ do: 'start container', service: name, name: container.name }, [
          ...ready,
          container.created,
          container.renamed,
          ...(container.connected ?? []),
        ]),
      ),
      ...restarted.map(container => {
        const stopped = this.#planStop(container.existing!, []);
        return this.#steps.add({ do: 'start container', service: name, name: container.name }, [
          ...ready,
          stopped,
        ]);
      }),
    ];
    this.#started.set(name, started);
  }

  /** Containers that stay, but whose service wants to be restarted with one that was made anew. */
  #restartedWith(service: Service, containers: readonly Planned[]): Planned[] {
    const asks = Object.entries(service.depends_on ?? {}).some(
      ([other, { restart }]) =>
        restart === true && (this.#recreated.has(other) || this.#interrupted.has(other)),
    );
    return asks
      ? containers.filter(
          ({ existing, created, connected }) =>
            created === undefined && connected === undefined && existing?.running,
        )
      : [];
  }

  #dependencySteps(service: Service): number[] {
    if (!this.#options.withDependencies && this.#options.services.length > 0) return [];
    return Object.entries(service.depends_on ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([other, { condition, required }]) => {
        const started = this.#started.get(other);
        if (started === undefined) return [];
        if (condition === 'service_started') return started;
        const key = `${other} ${condition} ${required}`;
        const wait =
          this.#waits.get(key) ??
          this.#steps.add({ do: 'wait for service', service: other, condition, required }, started);
        this.#waits.set(key, wait);
        return [wait];
      });
  }
}

/** Volumes that are there, but not as the project says they should be. */
export function divergedVolumes({ volumes = {} }: Project, observed: Observed): string[] {
  return Object.values(volumes)
    .filter(volume => {
      const hash = observed.volumes.get(volume.name)?.labels[composeLabels.configHash];
      return !volume.external && hash !== undefined && hash !== volumeHash(volume);
    })
    .map(({ name }) => name)
    .sort();
}

/** Whether it was made by a Compose that wanted it otherwise. */
function hasDiverged(network: Network, { labels }: ObservedResource): boolean {
  const { [composeLabels.configHash]: hash } = labels;
  return !network.external && hash !== undefined && hash !== networkHash(network);
}

function usesVolume({ volumes = [] }: Service, key: string): boolean {
  return volumes.some(({ type, source }) => type === 'volume' && source === key);
}

function sortedEntries<Value>(of: Record<string, Value> | undefined): [string, Value][] {
  return Object.entries(of ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Whether a container belongs to no service of the project: those of `run` when they have ended. */
export function isOrphan(project: Project, { service, oneOff, ended }: ObservedContainer): boolean {
  return oneOff ? ended : project.services[service] === undefined;
}

/** Whether a network or volume was made by Compose for this project. */
export function belongsTo(project: string, labels: Readonly<Record<string, string>>): boolean {
  return labels[composeLabels.project] === project;
}
