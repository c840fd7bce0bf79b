import { type IpAddress, ipFromBytes } from '../../stdx/ip.ts';
import { SystemError } from '../libc.ts';
import { addressFamily } from './addresses.ts';
import { attribute, nested, parseAttributes, u8, u32 } from './attributes.ts';
import type { NetlinkSocket } from './socket.ts';

/** One entry of the kernel's connection tracking, of a protocol with ports. */
export interface Flow {
  /** Where the first packet was sent to, before any translation. */
  sentTo: IpAddress;
  sentToPort: number;
  /** Where answers come from: something else than `sentTo` when the destination was translated. */
  answeredBy: IpAddress;
  answeredByPort: number;
  /** What names the entry to the kernel: its original tuple and zone, encoded. */
  key: Buffer;
}

/**
 * The flows of a protocol (its IP number) that were sent to a port, or to any.
 * @param socket of NETLINK_NETFILTER
 */
export function listFlows(
  socket: NetlinkSocket,
  { family, protocol, port }: { family: 4 | 6; protocol: number; port?: number },
): Flow[] {
  const wanted = [u8(CTA_PROTO_NUM, protocol)];
  let fields = CTA_FILTER_F_PROTO_NUM;
  if (port !== undefined) {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(port);
    wanted.push(attribute(CTA_PROTO_DST_PORT, bytes));
    fields |= CTA_FILTER_F_PROTO_DST_PORT;
  }
  // Kernels before 5.8 do not know the filter and list everything: the answer is looked through all the same.
  const messages = socket.dump('listing connections', messageType(IPCTNL_MSG_CT_GET), [
    header(family),
    nested(CTA_TUPLE_ORIG, nested(CTA_TUPLE_PROTO, ...wanted)),
    nested(CTA_FILTER, u32(CTA_FILTER_ORIG_FLAGS, fields)),
  ]);
  return messages.flatMap(({ payload }) => {
    const attributes = parseAttributes(payload.subarray(headerBytes));
    const original = readTuple(attributes.get(CTA_TUPLE_ORIG));
    const reply = readTuple(attributes.get(CTA_TUPLE_REPLY));
    if (original?.protocol !== protocol || reply === undefined) return [];
    if (port !== undefined && original.destinationPort !== port) return [];
    const zone = attributes.get(CTA_ZONE);
    return [
      {
        sentTo: original.destination,
        sentToPort: original.destinationPort,
        answeredBy: reply.source,
        answeredByPort: reply.sourcePort,
        key: Buffer.concat([
          nested(CTA_TUPLE_ORIG, attributes.get(CTA_TUPLE_ORIG)!),
          ...(zone === undefined ? [] : [attribute(CTA_ZONE, zone)]),
        ]),
      },
    ];
  });
}

/** The next packet of the flow is a first one again. One that is gone already is fine. */
export function deleteFlow(socket: NetlinkSocket, { sentTo, key }: Flow): void {
  try {
    socket.request('forgetting a connection', messageType(IPCTNL_MSG_CT_DELETE), 0, [
      header(sentTo.family),
      key,
    ]);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === 'ENOENT')) throw error;
  }
}

interface Tuple {
  protocol: number;
  source: IpAddress;
  sourcePort: number;
  destination: IpAddress;
  destinationPort: number;
}

/** undefined for protocols without ports. */
function readTuple(bytes: Buffer | undefined): Tuple | undefined {
  const parts = parseAttributes(bytes ?? Buffer.alloc(0));
  const addresses = parseAttributes(parts.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
  const proto = parseAttributes(parts.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
  const source = addresses.get(CTA_IP_V4_SRC) ?? addresses.get(CTA_IP_V6_SRC);
  const sourcePort = proto.get(CTA_PROTO_SRC_PORT);
  const destination = addresses.get(CTA_IP_V4_DST) ?? addresses.get(CTA_IP_V6_DST);
  const destinationPort = proto.get(CTA_PROTO_DST_PORT);
  if (source === undefined || destination === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return {
    protocol: proto.get(CTA_PROTO_NUM)?.readUInt8() ?? 0,
    source: ipFromBytes(source),
    sourcePort: sourcePort.readUInt16BE(),
    destination: ipFromBytes(destination),
    destinationPort: destinationPort.readUInt16BE(),
  };
}

/** struct nfgenmsg: family, version 0, resource id 0. */
function header(family: 4 | 6): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt8(addressFamily(family), 0);
  return bytes;
}

function messageType(message: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | message;
}

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h
const headerBytes = 4;
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_F_PROTO_NUM = 1 << 3;
const CTA_FILTER_F_PROTO_DST_PORT = 1 << 5;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
