import { addIfb, deleteLink, findLink } from '../linux/netlink/links.ts';
import type { NetlinkSocket } from '../linux/netlink/socket.ts';
import { limitRate, redirectIncoming, stopRedirecting, unlimitRate } from '../linux/netlink/traffic.ts';
import type { Bandwidth, Endpoint } from './network.ts';

/**
 * Limits what an endpoint sends and receives, or lifts the limits. All of it hangs on the host's end of the cable,
 * which a container cannot reach whatever capabilities it has in its own namespace:
 *
 *     container --veth--> [ingress: redirect] --> ifb [tbf: up] --> bridge
 *     container <--veth-- [tbf: down] <-- bridge
 *
 * Repeating it is fine, whatever was there before.
 */
export function limitEndpoint(host: NetlinkSocket, endpoint: Endpoint, group: number): void {
  const link = findLink(host, endpoint.hostLinkName);
  if (link === undefined) return;
  const { upBitsPerSecond, downBitsPerSecond } = endpoint.bandwidth ?? unlimited;
  if (downBitsPerSecond > 0) limitRate(host, link.index, bytesOf(downBitsPerSecond));
  else unlimitRate(host, link.index);
  const ifbName = ifbNameOf(endpoint);
  if (upBitsPerSecond === 0) {
    stopRedirecting(host, link.index);
    deleteLink(host, ifbName);
    return;
  }
  const known = findLink(host, ifbName);
  if (known === undefined) addIfb(host, { name: ifbName, group });
  const ifb = known ?? findLink(host, ifbName)!;
  limitRate(host, ifb.index, bytesOf(upBitsPerSecond));
  stopRedirecting(host, link.index);
  redirectIncoming(host, link.index, ifb.index);
}

/** What does not go away with the veth itself. */
export function forgetLimits(host: NetlinkSocket, endpoint: Endpoint): void {
  if (endpoint.bandwidth !== undefined) deleteLink(host, ifbNameOf(endpoint));
}

/** `veth0123456` has `ifb0123456`. */
export function ifbNameOf({ hostLinkName }: Endpoint): string {
  return hostLinkName.replace(/^veth/, 'ifb');
}

export const unlimited: Bandwidth = { upBitsPerSecond: 0, downBitsPerSecond: 0 };

function bytesOf(bitsPerSecond: number): number {
  return Math.ceil(bitsPerSecond / 8);
}
