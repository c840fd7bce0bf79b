import { isIP } from 'node:net';
import type { PortBinding } from '../../api/containers.ts';
import { EngineError } from '../../stdx/errors.ts';

export interface PortPlan {
  /** `80/tcp` */
  exposed: string[];
  bindings: Record<string, PortBinding[]>;
}

/**
 * `--publish` and `--expose` as the API takes them. A range of one size on both sides is taken apart; a range of host
 * ports for one container port goes to the daemon, which chooses.
 * @throws invalid, in Docker's words
 */
export function planPorts(published: readonly string[], exposed: readonly string[]): PortPlan {
  const plan: PortPlan = { exposed: [], bindings: {} };
  for (const text of published)
    publish(plan, text.includes('=') && text.includes('target') ? fromLongForm(text) : text);
  for (const text of exposed) {
    if (text.includes(':')) throw new EngineError('invalid', `invalid port format for --expose: ${text}`);
    const { port, protocol } = splitProtocol(text);
    for (const number of numbers(port, `invalid range format for --expose: ${text}`))
      expose(plan, `${number}/${protocol}`);
  }
  return plan;
}

function publish(plan: PortPlan, text: string): void {
  const { port: spec, protocol } = splitProtocol(text);
  const { ip, host, container } = splitSpec(spec);
  if (container === '') throw new EngineError('invalid', `no port specified: ${text}<empty>`);
  if (ip !== '' && isIP(ip) === 0) throw new EngineError('invalid', `invalid IP address: ${ip}`);
  if (!['tcp', 'udp', 'sctp'].includes(protocol))
    throw new EngineError('invalid', `invalid proto: ${protocol}`);
  const containerPorts = numbers(container, `invalid containerPort: ${container}`);
  const hostPorts = host === '' ? [] : numbers(host, `invalid hostPort: ${host}`);
  // One container port and several host ports: the daemon takes one of them.
  const chooses = containerPorts.length === 1 && hostPorts.length > 1;
  if (hostPorts.length > 0 && !chooses && hostPorts.length !== containerPorts.length) {
    throw new EngineError(
      'invalid',
      `invalid ranges specified for container and host Ports: ${container} and ${host}`,
    );
  }
  containerPorts.forEach((port, at) => {
    const key = `${port}/${protocol}`;
    const HostPort = chooses ? host : hostPorts.length === 0 ? '' : String(hostPorts[at]);
    expose(plan, key);
    plan.bindings[key] = [...(plan.bindings[key] ?? []), { HostIp: ip, HostPort }];
  });
}

function expose(plan: PortPlan, key: string): void {
  if (!plan.exposed.includes(key)) plan.exposed.push(key);
}

function splitProtocol(text: string): { port: string; protocol: string } {
  const slash = text.lastIndexOf('/');
  if (slash === -1) return { port: text, protocol: 'tcp' };
  return { port: text.slice(0, slash), protocol: text.slice(slash + 1).toLowerCase() };
}

/** `container`, `host:container`, `ip:host:container`, `[v6]:host:container`, `ip::container`. */
function splitSpec(spec: string): { ip: string; host: string; container: string } {
  const parts = spec.split(':');
  const container = parts.pop()!;
  const host = parts.pop() ?? '';
  return { ip: parts.join(':').replace(/^\[(.*)\]$/, '$1'), host, container };
}

/** `8000` or `8000-8010`. */
function numbers(text: string, fault: string): number[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65535 || last < first) throw new EngineError('invalid', fault);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** `target=80,published=8080,protocol=tcp` */
function fromLongForm(text: string): string {
  const fields = new Map(
    text
      .split(',')
      .map(pair => [pair.slice(0, pair.indexOf('=')).toLowerCase(), pair.slice(pair.indexOf('=') + 1)]),
  );
  for (const key of fields.keys()) {
    if (!['target', 'published', 'protocol', 'mode'].includes(key))
      throw new EngineError('invalid', `invalid field key ${key}`);
  }
  const published = fields.get('published');
  return `${published === undefined ? '' : `${published}:`}${fields.get('target') ?? ''}/${fields.get('protocol') ?? 'tcp'}`;
}
