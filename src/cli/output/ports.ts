import type { PortSummary } from '../../api/networks.ts';

/** `0.0.0.0:80->9090/tcp, 9988/tcp`; runs of ports that are published under their own numbers are one range. */
export function describePorts(ports: readonly PortSummary[]): string {
  const sorted = [...ports].sort(comparePorts);
  const groups = new Map<string, { first: number; last: number }>();
  const ranges: string[] = [];
  const mappings: string[] = [];
  for (const port of sorted) {
    if (port.IP && port.PublicPort !== port.PrivatePort) {
      mappings.push(`${hostPort(port.IP, String(port.PublicPort ?? 0))}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = port.IP ? `${port.IP}/${port.Type}` : port.Type;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    else if (port.PrivatePort === group.last + 1) group.last = port.PrivatePort;
    else if (port.PrivatePort !== group.last) {
      ranges.push(describeRange(key, group));
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    }
  }
  for (const [key, group] of groups) ranges.push(describeRange(key, group));
  return [...ranges, ...mappings].join(', ');
}

function describeRange(key: string, { first, last }: { first: number; last: number }): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  const slash = key.lastIndexOf('/');
  if (slash === -1) return `${range}/${key}`;
  return `${hostPort(key.slice(0, slash), range)}->${range}/${key.slice(slash + 1)}`;
}

function hostPort(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function comparePorts(left: PortSummary, right: PortSummary): number {
  return (
    left.PrivatePort - right.PrivatePort ||
    compareText(left.IP ?? '', right.IP ?? '') ||
    (left.PublicPort ?? 0) - (right.PublicPort ?? 0) ||
    compareText(left.Type, right.Type)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
