import { readFileSync } from 'node:fs';
import { errnoOf } from '../../stdx/errors.ts';
import { formatIp, ipFromBytes } from '../../stdx/ip.ts';
import type { ListeningSocket } from './evidence.ts';

/** Who waits for connections in the network namespace of a process. */
export function listeningSockets(pid: number): ListeningSocket[] {
  return (['tcp', 'tcp6', 'udp', 'udp6'] as const)
    .flatMap(table => parseSocketTable(readTable(`/proc/${pid}/net/${table}`), table))
    .filter(({ address }) => address !== embeddedServer);
}

/** Where the daemon itself listens in the container. */
const embeddedServer = '127.0.0.11';

/**
 * /proc/net/tcp and its kin (proc(5)): a heading, then a line for each socket.
 *
 *       sl  local_address rem_address   st tx_queue ...
 *        0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 ...
 *
 * An address is one (IPv4) or four (IPv6) 32-bit words in the order of the host, a port is in hex. A TCP socket that
 * listens is in state 0A, a UDP socket without a peer in 07.
 */
export function parseSocketTable(text: string, table: 'tcp' | 'tcp6' | 'udp' | 'udp6'): ListeningSocket[] {
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  const open = protocol === 'tcp' ? '0A' : '07';
  return text
    .split('\n')
    .slice(1)
    .flatMap(line => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [address, port] = local.split(':');
      if (state !== open || address === undefined || port === undefined) return [];
      return [{ protocol, address: readAddress(address), port: Number.parseInt(port, 16) }];
    });
}

function readAddress(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  return formatIp(ipFromBytes(bytes.swap32()));
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // It has ended just now, or the kernel has no IPv6.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EINVAL') return '';
    throw error;
  }
}
