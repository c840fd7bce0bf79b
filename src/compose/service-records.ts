import type { ContainerInspect } from '../api/containers.ts';
import { composeLabels } from './labels.ts';

/** A service as inventories and monitoring want it; the names of its fields are part of the contract. */
export interface ServiceRecord {
  /** PROJECT/SERVICE: the same for as long as the service exists, whatever becomes of its containers. */
  id: string;
  name: string;
  project: string;
  /** What its containers were made of; that of the first, while they are being replaced. */
  image: string;
  status: ServiceStatus;
  ports: PublishedPort[];
  /** The service's own: Compose's are told by the other fields. */
  labels: Record<string, string>;
  /** When its oldest container was made; RFC 3339. */
  created_at: string;
  /** When one of its containers was last made, started or ended; RFC 3339. */
  updated_at: string;
  containers: { id: string; name: string; status: string; health?: string }[];
}

/**
 * `running`: all containers run, and those with a health check are healthy. `degraded`: some do not run. Otherwise what
 * is true of all of them.
 */
type ServiceStatus =
  | 'running'
  | 'starting'
  | 'unhealthy'
  | 'degraded'
  | 'created'
  | 'restarting'
  | 'paused'
  | 'removing'
  | 'exited'
  | 'dead';

export interface PublishedPort {
  address: string;
  /** Of the machine. */
  port: number;
  container_port: number;
  protocol: string;
}

/** @param containers Compose's, one-off ones left out, in any order */
export function serviceRecords(containers: readonly ContainerInspect[]): ServiceRecord[] {
  const groups = Map.groupBy(containers, ({ Config: { Labels } }) =>
    [Labels?.[composeLabels.project], Labels?.[composeLabels.service]].join('/'),
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, members]) =>
      serviceRecord(
        id,
        members.sort((a, b) => numberOf(a) - numberOf(b)),
      ),
    );
}

function serviceRecord(id: string, containers: readonly ContainerInspect[]): ServiceRecord {
  const { Image, Labels } = containers[0]!.Config;
  const labels = Labels ?? {};
  return {
    id,
    name: labels[composeLabels.service]!,
    project: labels[composeLabels.project]!,
    image: Image,
    status: statusOf(containers),
    ports: containers.flatMap(publishedPorts),
    labels: Object.fromEntries(
      Object.entries(labels).filter(([name]) => !name.startsWith('com.docker.compose.')),
    ),
    created_at: containers.map(({ Created }) => Created).sort(byTime)[0]!,
    updated_at: containers
      .flatMap(({ Created, State }) => [Created, State.StartedAt, State.FinishedAt])
      .sort(byTime)
      .at(-1)!,
    containers: containers.map(({ Id, Name, State }) => ({
      id: Id,
      name: Name.slice(1),
      status: State.Status,
      ...(State.Health === undefined || State.Health.Status === 'none'
        ? {}
        : { health: State.Health.Status }),
    })),
  };
}

function statusOf(containers: readonly ContainerInspect[]): ServiceStatus {
  const statuses = new Set(containers.map(({ State }) => State.Status));
  if (statuses.size > 1) return 'degraded';
  const [status = 'dead'] = statuses;
  if (status !== 'running') return status;
  const healths = containers.map(({ State }) => State.Health?.Status);
  if (healths.includes('unhealthy')) return 'unhealthy';
  return healths.includes('starting') ? 'starting' : 'running';
}

function publishedPorts({ NetworkSettings }: ContainerInspect): PublishedPort[] {
  return Object.entries(NetworkSettings.Ports ?? {}).flatMap(([target, bindings]) => {
    const [port, protocol = 'tcp'] = target.split('/');
    return (bindings ?? []).map(({ HostIp, HostPort }) => ({
      address: HostIp,
      port: Number(HostPort),
      container_port: Number(port),
      protocol,
    }));
  });
}

function numberOf({ Config }: ContainerInspect): number {
  return Number(Config.Labels?.[composeLabels.number] ?? 0);
}

function byTime(a: string, b: string): number {
  return Date.parse(a) - Date.parse(b);
}
