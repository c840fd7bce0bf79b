import { ipFromBytes, parseIp } from '../../stdx/ip.ts';

/** Which packets are kept; what is left out does not matter. */
export interface PacketFilter {
  /** From or to this address. */
  host?: string;
  /** From or to this port of TCP, UDP or SCTP. */
  port?: number;
}

/** Whether an Ethernet frame is one that is asked for. */
export function passesFilter(frame: Buffer, { host, port }: PacketFilter): boolean {
  if (host === undefined && port === undefined) return true;
  const packet = ipPacketOf(frame);
  if (packet === undefined) return false;
  const wanted = host === undefined ? undefined : parseIp(host);
  if (wanted !== undefined && !packet.addresses.some(one => isSame(one, wanted))) return false;
  return port === undefined || packet.ports.includes(port);
}

interface IpPacket {
  /** Source and destination, as bytes. */
  addresses: Buffer[];
  /** Source and destination; none in a fragment that is not the first, and where the protocol has none. */
  ports: number[];
}

function isSame(bytes: Buffer, wanted: NonNullable<ReturnType<typeof parseIp>>): boolean {
  const address = ipFromBytes(bytes);
  return address.family === wanted.family && address.value === wanted.value;
}

/** Past the VLAN tags. Extension headers of IPv6 are not followed: ports behind them are not known. */
function ipPacketOf(frame: Buffer): IpPacket | undefined {
  let at = 12;
  while (at + 4 <= frame.length && vlanTypes.has(frame.readUInt16BE(at))) at += 4;
  if (at + 2 > frame.length) return undefined;
  const type = frame.readUInt16BE(at);
  const packet = frame.subarray(at + 2);
  if (type === ETHERTYPE_IPV4 && packet.length >= 20) {
    const isFirst = (packet.readUInt16BE(6) & 0x1fff) === 0;
    return {
      addresses: [packet.subarray(12, 16), packet.subarray(16, 20)],
      ports: isFirst ? portsOf(packet[9]!, packet.subarray((packet[0]! & 15) * 4)) : [],
    };
  }
  if (type === ETHERTYPE_IPV6 && packet.length >= 40) {
    return {
      addresses: [packet.subarray(8, 24), packet.subarray(24, 40)],
      ports: portsOf(packet[6]!, packet.subarray(40)),
    };
  }
  return undefined;
}

function portsOf(protocol: number, segment: Buffer): number[] {
  if (!protocolsWithPorts.has(protocol) || segment.length < 4) return [];
  return [segment.readUInt16BE(0), segment.readUInt16BE(2)];
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** 802.1Q and 802.1ad */
const vlanTypes: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
/** TCP, UDP and SCTP */
const protocolsWithPorts: ReadonlySet<number> = new Set([6, 17, 132]);
