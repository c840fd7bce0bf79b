import { formatIp, type IpAddress, ipBytes, ipFromBytes, type Subnet } from '../../stdx/ip.ts';
import { SystemError } from '../libc.ts';
import { addressFamily } from './addresses.ts';
import { attribute, parseAttributes, u32 } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from './message.ts';
import type { NetlinkSocket } from './socket.ts';

export interface Route {
  /** `0.0.0.0/0` or `::/0` is the default route. */
  destination: Subnet;
  linkIndex?: number;
  gateway?: IpAddress;
}

/** The default route of one family; one that is there already is replaced. */
export function setDefaultRoute(socket: NetlinkSocket, gateway: IpAddress, linkIndex?: number): void {
  socket.request(
    `adding the default route by ${formatIp(gateway)}`,
    RTM_NEWROUTE,
    NLM_F_CREATE | NLM_F_REPLACE,
    [
      routeHeader(gateway.family, 0),
      attribute(RTA_GATEWAY, ipBytes(gateway)),
      ...(linkIndex === undefined ? [] : [u32(RTA_OIF, linkIndex)]),
    ],
  );
}

/** As `setDefaultRoute`, but without a gateway: everything is taken to be on the link itself. */
export function setDirectDefaultRoute(socket: NetlinkSocket, family: 4 | 6, linkIndex: number): void {
  socket.request('adding a direct default route', RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, [
    routeHeader(family, 0, family === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    u32(RTA_OIF, linkIndex),
  ]);
}

/**
 * Unicast routes, both families: those of the main table, which an administrator sees with `ip route`, or those of all
 * tables (policy routing, as many VPNs use it).
 */
export function listRoutes(socket: NetlinkSocket, tables: 'main' | 'all' = 'main'): Route[] {
  return ([4, 6] as const).flatMap(family =>
    socket.dump('listing routes', RTM_GETROUTE, [dumpHeader(family)]).flatMap(({ payload }) => {
      const attributes = parseAttributes(payload.subarray(routeHeaderBytes));
      const table = attributes.get(RTA_TABLE)?.readUInt32LE() ?? payload.readUInt8(4);
      if (payload.readUInt8(7) !== RTN_UNICAST || (tables === 'main' && table !== RT_TABLE_MAIN)) return [];
      const destination = attributes.get(RTA_DST);
      const gateway = attributes.get(RTA_GATEWAY);
      return [
        {
          destination: {
            family,
            first: destination === undefined ? 0n : ipFromBytes(destination).value,
            prefixLength: payload.readUInt8(1),
          },
          linkIndex: attributes.get(RTA_OIF)?.readUInt32LE(),
          gateway: gateway && ipFromBytes(gateway),
        },
      ];
    }),
  );
}

/** Where the kernel would send a packet; undefined when it has no route. */
export interface FoundRoute {
  linkIndex: number;
  /** undefined: the address is on the link itself. */
  gateway?: IpAddress;
  /** The address it would come from. */
  source?: IpAddress;
}

export function lookUpRoute(socket: NetlinkSocket, address: IpAddress): FoundRoute | undefined {
  const header = dumpHeader(address.family);
  header.writeUInt8(address.family === 4 ? 32 : 128, 1);
  try {
    const [answer] = socket.request(`looking up the route to ${formatIp(address)}`, RTM_GETROUTE, 0, [
      header,
      attribute(RTA_DST, ipBytes(address)),
    ]);
    const attributes = parseAttributes(answer!.payload.subarray(routeHeaderBytes));
    const linkIndex = attributes.get(RTA_OIF)?.readUInt32LE();
    if (linkIndex === undefined) return undefined;
    const gateway = attributes.get(RTA_GATEWAY);
    const source = attributes.get(RTA_PREFSRC);
    return { linkIndex, gateway: gateway && ipFromBytes(gateway), source: source && ipFromBytes(source) };
  } catch (error) {
    if (error instanceof SystemError && noRouteCodes.has(error.code)) return undefined;
    throw error;
  }
}

/** No route at all, or one that refuses (unreachable, prohibit, blackhole). */
const noRouteCodes: ReadonlySet<string> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL']);

/**
 * struct rtmsg (linux/rtnetlink.h):
 *
 *     0        1       2       3     4       5          6       7      8       12
 *     +--------+-------+-------+-----+-------+----------+-------+------+-------+
 *     | family | dst/  | src/  | tos | table | protocol | scope | type | flags |
 *     +--------+-------+-------+-----+-------+----------+-------+------+-------+
 */
function routeHeader(family: 4 | 6, prefixLength: number, scope = RT_SCOPE_UNIVERSE): Buffer {
  const header = dumpHeader(family);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt8(RT_TABLE_MAIN, 4);
  header.writeUInt8(RTPROT_BOOT, 5);
  header.writeUInt8(scope, 6);
  header.writeUInt8(RTN_UNICAST, 7);
  return header;
}

function dumpHeader(family: 4 | 6): Buffer {
  const header = Buffer.alloc(routeHeaderBytes);
  header.writeUInt8(addressFamily(family), 0);
  return header;
}

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const routeHeaderBytes = 12;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
