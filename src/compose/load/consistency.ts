import type { Project, Service } from '../project.ts';
import { ComposeFileError, type Place } from './node.ts';
import type { Selection } from './profiles.ts';

/** Where an attribute is written, or the nearest thing around it that is. */
export type Locate = (...path: readonly (string | number)[]) => Place;

/**
 * Last phase: what must fit together. Only services of enabled profiles are looked at.
 * @throws ComposeFileError for the first thing that does not
 */
export function checkConsistency(selection: Selection, locate: Locate): void {
  for (const [name, service] of Object.entries(selection.project.services)) {
    for (const { at, message } of faultsOf(name, service, selection))
      throw new ComposeFileError(locate('services', name, ...at), message);
  }
  const cycle = dependencyCycle(selection.project);
  if (cycle !== undefined)
    throw new ComposeFileError(
      locate('services', cycle[0]!, 'depends_on'),
      `dependency cycle detected: ${cycle.join(' -> ')}`,
    );
}

interface Fault {
  at: readonly (string | number)[];
  message: string;
}

function* faultsOf(name: string, service: Service, selection: Selection): Generator<Fault> {
  const { project } = selection;
  const quoted = JSON.stringify(name);
  if (service.build === undefined && !service.image && service.provider === undefined)
    yield { at: [], message: `service ${quoted} has neither an image nor a build context specified` };
  yield* buildFaults(quoted, service, project);
  if (service.network_mode !== undefined && Object.keys(service.networks ?? {}).length > 0)
    yield {
      at: ['network_mode'],
      message: `service ${quoted} declares mutually exclusive \`network_mode\` and \`networks\``,
    };
  yield* undefinedResources(quoted, service, project);
  const [kind] = service.healthcheck?.test ?? [];
  if (kind !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(kind))
    yield {
      at: ['healthcheck', 'test'],
      message: 'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"',
    };
  yield* dependencyFaults(quoted, service, selection);
  yield* limitFaults(name, service);
  yield* mountFaults(name, service);
  for (const [at, rule] of (service.develop?.watch ?? []).entries()) {
    if (rule.target === undefined && rule.action !== 'rebuild' && rule.action !== 'restart')
      yield {
        at: ['develop', 'watch', at],
        message: `services.${name}.develop.watch: target is required for non-rebuild actions`,
      };
  }
}

function* buildFaults(quoted: string, { build, platform }: Service, project: Project): Generator<Fault> {
  if (build === undefined) return;
  if (build.dockerfile !== undefined && build.dockerfile_inline !== undefined)
    yield {
      at: ['build', 'dockerfile_inline'],
      message: `service ${quoted} declares mutually exclusive dockerfile and dockerfile_inline`,
    };
  for (const [context, source] of Object.entries(build.additional_contexts ?? {})) {
    if (!source.startsWith('service:')) continue;
    const target = source.slice('service:'.length);
    const other = project.services[target];
    if (other?.build === undefined)
      yield {
        at: ['build', 'additional_contexts', context],
        message: `service ${quoted} declares ${other === undefined ? 'unknown' : 'non-buildable'} service ${JSON.stringify(target)} as additional contexts ${context}`,
      };
  }
  if (platform !== undefined && build.platforms !== undefined && !build.platforms.includes(platform))
    yield {
      at: ['build', 'platforms'],
      message: `service.build.platforms MUST include service.platform ${JSON.stringify(platform)}`,
    };
}

function* undefinedResources(quoted: string, service: Service, project: Project): Generator<Fault> {
  const missing = (what: string, name: string, at: Fault['at']) => ({
    at,
    message: `service ${quoted} refers to undefined ${what} ${name}`,
  });
  for (const name of Object.keys(service.networks ?? {}))
    if (project.networks?.[name] === undefined) yield missing('network', name, ['networks', name]);
  for (const [at, { type, source }] of (service.volumes ?? []).entries())
    if (type === 'volume' && source !== undefined && project.volumes?.[source] === undefined)
      yield missing('volume', source, ['volumes', at]);
  for (const [at, { source }] of (service.build?.secrets ?? []).entries())
    if (project.secrets?.[source] === undefined)
      yield missing('build secret', source, ['build', 'secrets', at]);
  for (const [at, { source }] of (service.configs ?? []).entries())
    if (project.configs?.[source] === undefined) yield missing('config', source, ['configs', at]);
  for (const [at, { source }] of (service.secrets ?? []).entries())
    if (project.secrets?.[source] === undefined) yield missing('secret', source, ['secrets', at]);
  for (const name of Object.keys(service.models ?? {}))
    if (project.models?.[name] === undefined) yield missing('model', name, ['models', name]);
}

function* dependencyFaults(
  quoted: string,
  service: Service,
  { project, disabled }: Selection,
): Generator<Fault> {
  for (const [name, { required }] of Object.entries(service.depends_on ?? {})) {
    if (project.services[name] !== undefined || (!required && disabled[name] !== undefined)) continue;
    yield {
      at: ['depends_on', name],
      message: `service ${quoted} depends on undefined service ${JSON.stringify(name)}`,
    };
  }
  const shared = service.network_mode?.startsWith('service:')
    ? service.network_mode.slice('service:'.length)
    : undefined;
  if (shared !== undefined && project.services[shared] === undefined)
    yield {
      at: ['network_mode'],
      message: `service ${JSON.stringify(shared)} not found for network_mode 'service:${shared}'`,
    };
}

/** The same limit may be said in two ways, but not differently: beside other limits, what is not said is none. */
function* limitFaults(name: string, service: Service): Generator<Fault> {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const pairs = [
    ['scale', service.scale, 'deploy.replicas', service.deploy?.replicas],
    ['cpus', service.cpus || undefined, 'deploy.resources.limits.cpus', limits && (limits.cpus ?? 0)],
    [
      'mem_limit',
      sizeOf(service.mem_limit),
      'deploy.resources.limits.memory',
      limits && (limits.memory ?? '0'),
    ],
    [
      'mem_reservation',
      sizeOf(service.mem_reservation),
      'deploy.resources.reservations.memory',
      reservations && (reservations.memory ?? '0'),
    ],
    [
      'pids_limit',
      service.pids_limit || undefined,
      'deploy.resources.limits.pids',
      limits && (limits.pids ?? 0),
    ],
  ] as const;
  for (const [key, value, otherKey, other] of pairs) {
    if (value !== undefined && other !== undefined && value !== other)
      yield {
        at: [key],
        message: `services.${name}: can't set distinct values on '${key}' and '${otherKey}'`,
      };
  }
  const key = service.scale === undefined ? 'deploy.replicas' : 'scale';
  if (service.container_name !== undefined && (service.scale ?? service.deploy?.replicas ?? 1) > 1)
    yield {
      at: ['container_name'],
      message: `services.${name}: can't set container_name and ${key} as container name must be unique`,
    };
}

/** @returns undefined when there is none */
function sizeOf(limit: string | undefined): string | undefined {
  return limit === '0' ? undefined : limit;
}

function* mountFaults(name: string, { tmpfs = [], volumes = [] }: Service): Generator<Fault> {
  const mounted = new Map<string, string>();
  const all = [
    ...tmpfs.map((mount, at) => ({ key: 'tmpfs', at, target: mount.split(':', 1)[0]! })),
    ...volumes.map(({ target }, at) => ({ key: 'volumes', at, target })),
  ];
  for (const { key, at, target } of all) {
    const here = `services.${name}.${key}[${at}]`;
    const earlier = mounted.get(target);
    if (earlier !== undefined)
      yield { at: [key, at], message: `${here}: target ${target} already mounted as ${earlier}` };
    mounted.set(target, here);
  }
}

/** Services that wait for each other, the first one named twice; undefined when there is no such circle. */
export function dependencyCycle({ services }: Project): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string[] | undefined => {
    const at = path.indexOf(name);
    if (at !== -1) return [...path.slice(at), name];
    if (done.has(name)) return undefined;
    path.push(name);
    for (const other of Object.keys(services[name]?.depends_on ?? {})) {
      const cycle = visit(other);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(name);
    return undefined;
  };
  for (const name of Object.keys(services)) {
    const cycle = visit(name);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
