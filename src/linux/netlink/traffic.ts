import { SystemError } from '../libc.ts';
import { attribute, nested, parseAttributes, readText, text } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts';
import type { NetlinkSocket } from './socket.ts';

/** A queueing discipline of a link, as far as this program makes them. */
export interface QueueingDiscipline {
  /** `tbf`, `ingress`, `noqueue` ... */
  kind: string;
  linkIndex: number;
  /** tbf alone. */
  rateBytesPerSecond?: number;
}

/**
 * Lets no more than the rate leave by a link, with a token bucket (tc-tbf(8)): what comes faster waits, and what
 * would wait longer than a tenth of a second is dropped. One that is there already gets the new rate.
 */
export function limitRate(socket: NetlinkSocket, linkIndex: number, rateBytesPerSecond: number): void {
  // The bucket holds 20 ms, but never less than a few whole frames.
  const burstBytes = Math.min(Math.max(Math.ceil(rateBytesPerSecond / 50), 16_000), 0x7fffffff);
  const queueBytes = Math.min(burstBytes + Math.ceil(rateBytesPerSecond / 10), 0x7fffffff);
  const burst = Buffer.alloc(4);
  burst.writeUInt32LE(burstBytes);
  const rate64 = Buffer.alloc(8);
  rate64.writeBigUInt64LE(BigInt(rateBytesPerSecond));
  socket.request(`limiting link ${linkIndex}`, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, [
    trafficHeader(linkIndex, { handle: tbfHandle, parent: TC_H_ROOT }),
    text(TCA_KIND, 'tbf'),
    nested(
      TCA_OPTIONS,
      attribute(TCA_TBF_PARMS, tokenBucket(rateBytesPerSecond, queueBytes)),
      attribute(TCA_TBF_RATE64, rate64),
      attribute(TCA_TBF_BURST, burst),
    ),
  ]);
}

/** @returns false when there was no limit. */
export function unlimitRate(socket: NetlinkSocket, linkIndex: number): boolean {
  return unlessAbsent(() => {
    socket.request(`taking the limit from link ${linkIndex}`, RTM_DELQDISC, 0, [
      trafficHeader(linkIndex, { handle: tbfHandle, parent: TC_H_ROOT }),
    ]);
  });
}

/** Sends all that comes in by a link out by another one first (an ifb), where it can be made to wait. */
export function redirectIncoming(socket: NetlinkSocket, linkIndex: number, toLinkIndex: number): void {
  socket.request(`watching what comes in by link ${linkIndex}`, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, [
    trafficHeader(linkIndex, { handle: ingressHandle, parent: TC_H_INGRESS }),
    text(TCA_KIND, 'ingress'),
  ]);
  const action = nested(
    1,
    text(TCA_ACT_KIND, 'mirred'),
    nested(TCA_ACT_OPTIONS, attribute(TCA_MIRRED_PARMS, redirection(toLinkIndex))),
  );
  socket.request(`redirecting link ${linkIndex}`, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, [
    trafficHeader(linkIndex, { parent: ingressHandle, info: firstPriority | everyProtocol }),
    text(TCA_KIND, 'u32'),
    nested(TCA_OPTIONS, attribute(TCA_U32_SEL, everyPacket()), nested(TCA_U32_ACT, action)),
  ]);
}

/** @returns false when nothing was redirected. */
export function stopRedirecting(socket: NetlinkSocket, linkIndex: number): boolean {
  return unlessAbsent(() => {
    socket.request(`no more watching of link ${linkIndex}`, RTM_DELQDISC, 0, [
      trafficHeader(linkIndex, { handle: ingressHandle, parent: TC_H_INGRESS }),
    ]);
  });
}

/** Those of all links of the namespace. */
export function listQueueingDisciplines(socket: NetlinkSocket): QueueingDiscipline[] {
  return socket
    .dump('listing queueing disciplines', RTM_GETQDISC, [trafficHeader(0, {})])
    .map(({ payload }) => {
      const attributes = parseAttributes(payload.subarray(headerBytes));
      const kind = readText(attributes.get(TCA_KIND) ?? Buffer.alloc(0));
      const linkIndex = payload.readInt32LE(4);
      if (kind !== 'tbf') return { kind, linkIndex };
      const options = parseAttributes(attributes.get(TCA_OPTIONS) ?? Buffer.alloc(0));
      const rate64 = options.get(TCA_TBF_RATE64)?.readBigUInt64LE();
      const rateBytesPerSecond = Number(rate64 ?? options.get(TCA_TBF_PARMS)?.readUInt32LE(8) ?? 0);
      return { kind, linkIndex, rateBytesPerSecond };
    });
}

/**
 * struct tcmsg (linux/rtnetlink.h):
 *
 *     0        1          4       8        12       16      20
 *     +--------+----------+-------+--------+--------+-------+
 *     | family | padding  | index | handle | parent | info  |
 *     +--------+----------+-------+--------+--------+-------+
 */
function trafficHeader(
  linkIndex: number,
  { handle = 0, parent = 0, info = 0 }: { handle?: number; parent?: number; info?: number },
): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(linkIndex, 4);
  header.writeUInt32LE(handle, 8);
  header.writeUInt32LE(parent, 12);
  header.writeUInt32LE(info, 16);
  return header;
}

/**
 * struct tc_tbf_qopt (linux/pkt_sched.h), with two struct tc_ratespec in it:
 *
 *     0          1            2          4       6     8       12
 *     +----------+------------+----------+-------+-----+-------+
 *     | cell log | link layer | overhead | align | mpu | rate  |
 *     +----------+------------+----------+-------+-----+-------+
 *
 *     0       12          24      28       32    36
 *     +-------+-----------+-------+--------+-----+
 *     | rate  | peak rate | limit | buffer | mtu |
 *     +-------+-----------+-------+--------+-----+
 *
 * The link layer tells the kernel to compute what a packet costs itself, so that it needs no table of ours; the
 * bucket's size is an attribute of its own.
 */
function tokenBucket(rateBytesPerSecond: number, queueBytes: number): Buffer {
  const options = Buffer.alloc(36);
  options.writeUInt8(TC_LINKLAYER_ETHERNET, 1);
  options.writeUInt32LE(Math.min(rateBytesPerSecond, 0xffffffff), 8);
  options.writeUInt32LE(queueBytes, 24);
  return options;
}

/**
 * struct tc_u32_sel with one struct tc_u32_key (linux/pkt_cls.h) that compares no bit: everything matches.
 *
 *     0       1       2      3     4      6     8      10     12     16     20      24       28        32
 *     +-------+-------+------+-----+------+-----+------+------+------+------+-------+--------+---------+
 *     | flags | shift | keys | pad | mask | off | off. | hoff | hmask| mask | value | offset | offmask |
 *     +-------+-------+------+-----+------+-----+------+------+------+------+-------+--------+---------+
 */
function everyPacket(): Buffer {
  const selector = Buffer.alloc(32);
  selector.writeUInt8(TC_U32_TERMINAL, 0);
  selector.writeUInt8(1, 2);
  return selector;
}

/**
 * struct tc_mirred (linux/tc_act/tc_mirred.h):
 *
 *     0       4              8        12         16         20        24           28
 *     +-------+--------------+--------+----------+----------+---------+------------+
 *     | index | capabilities | action | refcount | bindings | eaction | link index |
 *     +-------+--------------+--------+----------+----------+---------+------------+
 */
function redirection(toLinkIndex: number): Buffer {
  const options = Buffer.alloc(28);
  options.writeInt32LE(TC_ACT_STOLEN, 8);
  options.writeInt32LE(TCA_EGRESS_REDIR, 20);
  options.writeUInt32LE(toLinkIndex, 24);
  return options;
}

/** EINVAL and ENOENT are what the kernel says of a discipline that is not there. */
function unlessAbsent(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof SystemError && ['EINVAL', 'ENOENT', 'ENODEV'].includes(error.code)) return false;
    throw error;
  }
}

// linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/if_ether.h
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const headerBytes = 20;
const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
/** `1:`, as tc writes it. */
const tbfHandle = 0x0001_0000;
const ingressHandle = 0xffff_0000;
const firstPriority = 1 << 16;
/** ETH_P_ALL in network byte order. */
const everyProtocol = 0x0300;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
