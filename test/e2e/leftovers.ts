import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupsNamed, processesIn, processesSeenIn } from '../support/cgroups.ts';
import type { Machine } from './machine.ts';

interface InspectedContainer {
  Id: string;
  State: { Pid: number };
}

/**
 * What a machine has that belongs to no container its daemon knows: each line is a leak. Read while nothing
 * is being done. Stopped containers own nothing in the kernel, so everything must belong to a running one.
 */
export async function leftovers(machine: Machine): Promise<string[]> {
  const ids = (await machine.must('docker ps -aq --no-trunc')).split('\n').filter(Boolean);
  const all =
    ids.length === 0
      ? []
      : (JSON.parse(await machine.must(`docker inspect ${ids.join(' ')}`)) as InspectedContainer[]);
  const running = new Set(all.filter(({ State }) => State.Pid > 0).map(({ Id }) => Id));
  return kernelLeftovers(machine, running, running.size);
}

/**
 * As leftovers, for a caller who knows the ids of those that run.
 * @param links how many veth links they have: one for each network they are on
 */
export async function kernelLeftovers(
  machine: Machine,
  running: ReadonlySet<string>,
  links: number,
): Promise<string[]> {
  return [
    ...(await strayLinks(machine, links)),
    ...strayMounts(machine, running.size),
    ...strayMonitors(machine, running.size),
    ...strayCgroups(machine, running),
  ];
}

async function strayLinks(machine: Machine, wanted: number): Promise<string[]> {
  const links = (await machine.world.run(['ip', '-o', 'link', 'show', 'type', 'veth'])).stdout.split('\n');
  const veths = links.filter(line => line && !/\bhost[01][@:]/.test(line));
  return veths.length === wanted ? [] : [`${veths.length} veth links, not ${wanted}: ${veths.join(' | ')}`];
}

/** Whether the firewall publishes just these ports of IPv4: `tcp 8080`. */
export async function strayPorts(machine: Machine, published: ReadonlySet<string>): Promise<string[]> {
  const { stdout } = await machine.world.run(['nft', '-j', 'list', 'table', 'inet', 'gantry']);
  const { nftables } = JSON.parse(stdout) as { nftables: { map?: { name: string; elem?: PortElement[] } }[] };
  const found = new Set<string>();
  for (const { map } of nftables) {
    if (map?.name !== 'anyports4' && map?.name !== 'ports4') continue;
    for (const [{ concat: key }] of map.elem ?? []) found.add(`${key[0]} ${key.at(-1)}`);
  }
  return [
    ...[...found.difference(published)].map(port => `nobody publishes ${port}, but the firewall does`),
    ...[...published.difference(found)].map(port => `the firewall does not know the published port ${port}`),
  ];
}

/** Protocol, perhaps an address, and port on the host; address and port of the container. */
type PortElement = [{ concat: (string | number)[] }, unknown];

function strayMounts(machine: Machine, running: number): string[] {
  const mounts = readFileSync(join(machine.world.proc, '1/mountinfo'), 'utf8').split('\n');
  const overlays = mounts.filter(
    line => line.includes(' - overlay ') && line.includes(machine.world.directory),
  );
  return overlays.length === running
    ? []
    : [`${overlays.length} overlay mounts for ${running} running containers: ${overlays.join(' | ')}`];
}

function strayMonitors(machine: Machine, running: number): string[] {
  const monitors = processesSeenIn(machine.world.proc).filter(({ name }) =>
    /^(conmon|containerd-shim)/.test(name),
  );
  return monitors.length === running ? [] : [`${monitors.length} monitors for ${running} running containers`];
}

/** Cgroups of containers that are gone, or that hold no process any more. */
function strayCgroups(machine: Machine, running: ReadonlySet<string>): string[] {
  const found = cgroupsNamed(new Set([...machine.seenIds, ...running]));
  return [...found].flatMap(([id, paths]) => {
    const stray = paths.filter(path => !running.has(id) || processesIn(path).length === 0);
    const of = running.has(id) ? 'an empty' : 'a dead';
    return stray.length === 0 ? [] : [`${stray.length} cgroups of ${of} container: ${stray[0]}`];
  });
}
