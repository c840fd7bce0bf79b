import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from './container.ts';
import { parsePort } from './network.ts';

/** What another container is to one that `--link`s it on the default bridge. */
export interface LinkedContainer {
  alias: string;
  /** '' while it does not run. */
  address: string;
  /** `80/tcp` */
  ports: readonly string[];
  env: readonly string[];
}

/** Variables of the old links: only the default bridge, which has no names, still has them. */
export function linkEnvironmentOf(context: EngineContext, record: ContainerRecord): string[] {
  const { networkMode, links } = record.hostConfig;
  if (networkMode !== 'default' && networkMode !== 'bridge') return [];
  return links.flatMap(link => {
    const [ref = '', alias] = link.split(':', 2);
    const other = context.containers.find(ref);
    if (other === undefined) return [];
    const endpoint = context.network
      .endpointsOfContainer(other.id)
      .find(({ networkName }) => networkName === 'bridge');
    return linkVariables(record.name, {
      alias: alias ?? other.name,
      address: endpoint?.ipv4?.address ?? '',
      ports: other.config.exposedPorts,
      env: other.config.env,
    });
  });
}

/** moby, daemon/links/links.go, ToEnv: `DB_PORT_5432_TCP_ADDR=172.17.0.2`. */
export function linkVariables(name: string, linked: LinkedContainer): string[] {
  if (linked.address === '') return [];
  const prefix = linked.alias.toUpperCase().replaceAll('-', '_');
  const ports = linked.ports.map(parsePort).sort((a, b) => a.containerPort - b.containerPort);
  const url = (port: (typeof ports)[number]) => `${port.protocol}://${linked.address}:${port.containerPort}`;
  const [first] = ports;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
    ...ports.flatMap(port => {
      const own = `${prefix}_PORT_${port.containerPort}_${port.protocol.toUpperCase()}`;
      return [
        `${own}=${url(port)}`,
        `${own}_ADDR=${linked.address}`,
        `${own}_PORT=${port.containerPort}`,
        `${own}_PROTO=${port.protocol}`,
      ];
    }),
    `${prefix}_NAME=/${name}/${linked.alias}`,
    ...linked.env.filter(isOwn).map(entry => `${prefix}_ENV_${entry}`),
  ];
}

/** What every container has is not worth telling. */
function isOwn(entry: string): boolean {
  const equals = entry.indexOf('=');
  return equals > 0 && equals < entry.length - 1 && !['HOME', 'PATH'].includes(entry.slice(0, equals));
}
