import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { within } from '../../stdx/errors.ts';

/**
 * The same for hosts whose other firewall still speaks the old kernel interface (iptables-legacy). It takes whole
 * tables in a binary format of its own, so its program is run; only where such a table exists, and only when a
 * bridge comes or goes.
 */
export function openLegacyFirewall(bridges: readonly string[], comment: string): void {
  for (const { names, program } of interfaces) {
    if (!hasFilterTable(names)) continue;
    const path = directories.map(directory => `${directory}/${program}`).find(existsSync);
    if (path === undefined) continue;
    changeRules(path, bridges, comment);
  }
}

const interfaces = [
  { names: '/proc/net/ip_tables_names', program: 'iptables-legacy' },
  { names: '/proc/net/ip6_tables_names', program: 'ip6tables-legacy' },
];
const directories = ['/usr/sbin', '/sbin'];

/** The kernel lists the tables somebody has used; reading it makes none. */
function hasFilterTable(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').split('\n').includes('filter');
  } catch {
    // A kernel without the old interface has no such file, and no such firewall.
    return false;
  }
}

function changeRules(program: string, bridges: readonly string[], comment: string): void {
  const listing = run(program, ['-S']).split('\n');
  const chain = listing.includes('-N DOCKER-USER') ? 'DOCKER-USER' : 'FORWARD';
  if (chain === 'FORWARD' && !listing.includes('-P FORWARD DROP')) return;
  const ending = `-m comment --comment ${comment} -j ACCEPT`;
  const wanted = bridges.flatMap(bridge => [`-i ${bridge} ${ending}`, `-o ${bridge} ${ending}`]);
  const present = listing.filter(line => line.endsWith(ending)).map(line => line.replace(/^-A /, ''));
  for (const rule of wanted.filter(rule => !present.includes(`${chain} ${rule}`))) {
    run(program, ['-I', chain, ...rule.split(' ')]);
  }
  for (const rule of present.filter(rule => !wanted.includes(rule.slice(rule.indexOf(' ') + 1)))) {
    run(program, ['-D', ...rule.split(' ')]);
  }
}

function run(program: string, args: string[]): string {
  try {
    return execFileSync(program, ['-w', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw within(`running ${program} ${args.join(' ')}`, error);
  }
}
