/** The part of dns-packet (which brings no types) that the embedded name server uses. */
declare module 'dns-packet' {
  export interface Question {
    name: string;
    type: string;
    class?: string;
  }

  export interface Answer {
    name: string;
    type: string;
    ttl?: number;
    class?: string;
    data?: string;
    /** Of an OPT record. */
    udpPayloadSize?: number;
    flags?: number;
    options?: unknown[];
  }

  export interface Packet {
    id?: number;
    type?: 'query' | 'response';
    flags?: number;
    rcode?: string;
    opcode?: string;
    questions?: Question[];
    answers?: Answer[];
    authorities?: Answer[];
    additionals?: Answer[];
  }

  export const RECURSION_DESIRED: number;
  export const RECURSION_AVAILABLE: number;
  export const TRUNCATED_RESPONSE: number;

  export function decode(
    bytes: Buffer,
  ): Packet & { flags: number; id: number; rcode: string; opcode: string };
  export function encode(packet: Packet): Buffer;
}
