import {
  type Answer,
  decode,
  encode,
  type Packet,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import type { Endpoint } from '../network.ts';
import { type NameSource, resolveAddress, resolveName } from './names.ts';

/** A question that could be read. */
export interface Query {
  packet: ReturnType<typeof decode>;
  question: Question;
  /** What the asker takes in one datagram: 512 unless EDNS says more. */
  udpPayloadBytes: number;
  hasEdns: boolean;
}

export type ParsedQuery =
  | { kind: 'query'; query: Query }
  | { kind: 'refuse'; answer: Buffer }
  | { kind: 'ignore' };

/** As Docker's: long enough to spare questions, and containers that cache for ever exist anyway. */
const ttlSeconds = 600;
/** The least that every asker takes (RFC 1035 4.2.1), and the most we send (RFC 6891 6.2.5). */
const plainUdpBytes = 512;
const largestUdpBytes = 4096;
const headerBytes = 12;

/** Reads a message; what is no question gets the refusal the protocol has for it, or nothing. */
export function parseQuery(bytes: Buffer): ParsedQuery {
  // Answers must never be answered: two servers would talk for ever.
  if (bytes.length < headerBytes || (bytes[2]! & 0x80) !== 0) return { kind: 'ignore' };
  let packet: ReturnType<typeof decode>;
  try {
    packet = decode(bytes);
  } catch {
    // A message that cannot be read has an answer of its own.
    return { kind: 'refuse', answer: bareAnswer(bytes, rcodes.formatError) };
  }
  if (packet.opcode !== 'QUERY') return { kind: 'refuse', answer: bareAnswer(bytes, rcodes.notImplemented) };
  const [question, ...more] = packet.questions ?? [];
  if (question === undefined || more.length > 0)
    return { kind: 'refuse', answer: bareAnswer(bytes, rcodes.formatError) };
  const edns = packet.additionals?.find(record => record.type === 'OPT');
  const udpPayloadBytes = Math.min(Math.max(edns?.udpPayloadSize ?? 0, plainUdpBytes), largestUdpBytes);
  return { kind: 'query', query: { packet, question, udpPayloadBytes, hasEdns: edns !== undefined } };
}

/**
 * What the networks themselves can answer; undefined means: ask the upstream servers. A name that exists has answers
 * for addresses only; for other types it exists without data, so that nobody outside is asked for it.
 */
export function answerLocally(source: NameSource, containerId: string, query: Query): Answer[] | undefined {
  const { name, type } = query.question;
  if (type === 'PTR') {
    const pointer = resolveAddress(source, containerId, name);
    return pointer === undefined ? undefined : [{ name, type, ttl: ttlSeconds, class: 'IN', data: pointer }];
  }
  const endpoints = resolveName(source, containerId, name);
  if (endpoints === undefined) return undefined;
  return inRandomOrder(addressesOf(endpoints, type)).map(data => ({
    name,
    type,
    ttl: ttlSeconds,
    class: 'IN',
    data,
  }));
}

export function encodeAnswer(query: Query, answers: Answer[], rcode = rcodes.noError): Buffer {
  return encode(responseTo(query, answers, rcode));
}

/** For UDP: when the answer does not fit, as much as does and the sign to ask again by TCP. */
export function encodeDatagram(query: Query, answers: Answer[], rcode = rcodes.noError): Buffer {
  const whole = encodeAnswer(query, answers, rcode);
  if (whole.length <= query.udpPayloadBytes) return whole;
  const fitting = Math.floor((answers.length * query.udpPayloadBytes) / whole.length);
  for (let count = fitting; count >= 0; count--) {
    const packet = responseTo(query, answers.slice(0, count), rcode);
    const cut = encode({ ...packet, flags: packet.flags! | TRUNCATED_RESPONSE });
    if (cut.length <= query.udpPayloadBytes) return cut;
  }
  return whole.subarray(0, query.udpPayloadBytes);
}

export const rcodes = { noError: 0, formatError: 1, serverFailure: 2, notImplemented: 4, refused: 5 };

function responseTo(query: Query, answers: Answer[], rcode: number): Packet {
  return {
    id: query.packet.id,
    type: 'response',
    flags: (query.packet.flags & RECURSION_DESIRED) | RECURSION_AVAILABLE | rcode,
    questions: [query.question],
    answers,
    additionals: query.hasEdns
      ? [{ name: '.', type: 'OPT', udpPayloadSize: largestUdpBytes, flags: 0, options: [] }]
      : [],
  };
}

/** Header only, with the question's id: for what could not be read. */
function bareAnswer(bytes: Buffer, rcode: number): Buffer {
  const answer = Buffer.alloc(headerBytes);
  bytes.copy(answer, 0, 0, 4);
  answer[2]! |= 0x80;
  answer[3] = 0x80 | rcode;
  return answer;
}

function addressesOf(endpoints: readonly Endpoint[], type: string): string[] {
  return endpoints.flatMap(endpoint => {
    if (type === 'A') return endpoint.ipv4?.address ?? [];
    if (type === 'AAAA') return endpoint.ipv6?.address ?? [];
    return [];
  });
}

/** Spreads clients over the containers of a service: most take the first address. */
function inRandomOrder<T>(items: T[]): T[] {
  for (let index = items.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [items[index], items[other]] = [items[other]!, items[index]!];
  }
  return items;
}
