import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCgroups, processesIn, processesSeenIn } from '../support/cgroups.ts';
import type { Machine } from './machine.ts';

interface RunningContainer {
  Id: string;
  Name: string;
  State: { Pid: number; Status: string };
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
      : (JSON.parse(await machine.must(`docker inspect ${ids.join(' ')}`)) as RunningContainer[]);
  const running = all.filter(container => container.State.Pid > 0);
  return [
    ...(await strayLinks(machine, running.length)),
    ...strayMounts(machine, running.length),
    ...strayMonitors(machine, running),
    ...strayCgroups(machine, new Set(running.map(container => container.Id))),
  ];
}

/** One veth on the host's side for each running container: tests that count use the default network only. */
async function strayLinks(machine: Machine, running: number): Promise<string[]> {
  const links = (await machine.world.run(['ip', '-o', 'link', 'show', 'type', 'veth'])).stdout.split('\n');
  const veths = links.filter(line => line && !/\bhost[01][@:]/.test(line));
  return veths.length === running
    ? []
    : [`${veths.length} veth links for ${running} running containers: ${veths.join(' | ')}`];
}

function strayMounts(machine: Machine, running: number): string[] {
  const mounts = readFileSync(join(machine.world.proc, '1/mountinfo'), 'utf8').split('\n');
  const overlays = mounts.filter(
    line => line.includes(' - overlay ') && line.includes(machine.world.directory),
  );
  return overlays.length === running
    ? []
    : [`${overlays.length} overlay mounts for ${running} running containers: ${overlays.join(' | ')}`];
}

function strayMonitors(machine: Machine, running: readonly RunningContainer[]): string[] {
  const monitors = processesSeenIn(machine.world.proc).filter(({ name }) =>
    /^(conmon|containerd-shim)/.test(name),
  );
  return monitors.length === running.length
    ? []
    : [`${monitors.length} monitors for ${running.length} running containers`];
}

/** Cgroups of containers that are gone, or that hold no process any more. */
function strayCgroups(machine: Machine, running: ReadonlySet<string>): string[] {
  const known = [...machine.seenIds, ...running];
  return known.flatMap(id => {
    const stray = findCgroups(id).filter(path => !running.has(id) || processesIn(path).length === 0);
    const of = running.has(id) ? 'an empty' : 'a dead';
    return stray.length === 0 ? [] : [`${stray.length} cgroups of ${of} container: ${stray[0]}`];
  });
}
