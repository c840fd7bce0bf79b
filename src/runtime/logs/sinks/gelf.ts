import { randomBytes } from 'node:crypto';
import { constants, deflateSync, gzipSync } from 'node:zlib';
import { parseTransportAddress } from '../log-address.ts';
import { type LogMessage, timeNsOf } from '../log-message.ts';
import { invalidOption } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { commandOf, expandTag, extraAttributes, type LogOptions, type LogSource } from '../log-source.ts';
import { UdpConnection } from './datagram-connection.ts';
import { StreamConnection } from './stream-connection.ts';

const schemes = ['tcp+tls', 'tcp', 'udp', 'unixgram', 'unix'];
const compressions = ['gzip', 'zlib', 'none'] as const;

export interface GelfConfig {
  kind: 'udp' | 'tcp';
  host: string;
  port: number;
  compression: (typeof compressions)[number];
  compressionLevel: number;
  hostName: string;
  /** What every message says of its container; names with their underscore. */
  fields: Record<string, string>;
}

/** What Docker checks when a container is created. */
export function validateGelfOptions(options: LogOptions): void {
  const { kind } = parseAddress(options['gelf-address'] ?? '');
  for (const [name, value] of Object.entries(options)) {
    const unknown = () => invalidOption(`unknown value "${value}" for log opt "${name}" for gelf log driver`);
    if (name.startsWith('gelf-compression-') && kind !== 'udp') {
      throw invalidOption('compression is only supported on UDP');
    }
    if (name === 'gelf-compression-level' && !/^(-1|\d)$/.test(value)) throw unknown();
    if (name === 'gelf-compression-type' && !compressions.includes(value as 'gzip')) throw unknown();
    if (!name.startsWith('gelf-tcp-')) continue;
    if (kind !== 'tcp') throw invalidOption(`"${name}" is only valid for TCP`);
    if (!/^\d+$/.test(value)) throw invalidOption(`"${name}" must be a positive integer`);
  }
}

export function parseGelfConfig(source: LogSource, options: LogOptions): GelfConfig {
  return {
    ...parseAddress(options['gelf-address'] ?? ''),
    compression: (options['gelf-compression-type'] ?? 'gzip') as GelfConfig['compression'],
    compressionLevel: Number(options['gelf-compression-level'] ?? constants.Z_BEST_SPEED),
    hostName: source.hostName,
    fields: {
      _container_id: source.id,
      _container_name: source.name,
      _image_id: source.imageId,
      _image_name: source.imageName,
      _command: commandOf(source),
      _tag: expandTag(source, options),
      _created: new Date(source.createdAtMs).toISOString(),
      ...extraAttributes(source, options, name => `_${name.replace(/^_/, '')}`),
    },
  };
}

function parseAddress(text: string): Pick<GelfConfig, 'kind' | 'host' | 'port'> {
  if (text === '') throw invalidOption('gelf-address is a required parameter');
  const address = parseTransportAddress(text, schemes);
  if (address === undefined)
    throw invalidOption(`gelf-address should be in form proto://address, got ${text}`);
  const { scheme, host, port } = address;
  if (scheme !== 'udp' && scheme !== 'tcp') throw invalidOption('gelf: endpoint needs to be TCP or UDP');
  if (port === undefined || !/^\d+$/.test(port)) {
    throw invalidOption('gelf: please provide gelf-address as proto://host:port');
  }
  return { kind: scheme, host, port: Number(port) };
}

/** One line as GELF 1.1. */
export function gelfMessage(config: GelfConfig, message: LogMessage): Buffer {
  const ms = timeNsOf(message) / 1_000_000n;
  return Buffer.from(
    JSON.stringify({
      version: '1.1',
      host: config.hostName,
      short_message: message.line.toString(),
      timestamp: Number(ms) / 1000,
      level: message.stream === 'stderr' ? 3 : 6,
      ...config.fields,
    }),
  );
}

/** What a datagram may hold so that it fits into a packet nearly everywhere. */
const chunkBytes = 1420;
const chunkHeaderBytes = 12;
const mostChunks = 128;

/**
 * A message as datagrams: one if it fits, else chunks.
 *
 *      0     1     2          10        11        12 ...
 *     +-----+-----+----------+---------+---------+-----
 *     | 1e  | 0f  | id       | number  | count   | data
 *     +-----+-----+----------+---------+---------+-----
 *
 * @returns nothing for a message that is longer than chunks can carry
 */
export function gelfDatagrams(config: GelfConfig, message: Buffer): Buffer[] {
  const options = { level: config.compressionLevel };
  const packed =
    config.compression === 'gzip'
      ? gzipSync(message, options)
      : config.compression === 'zlib'
        ? deflateSync(message, options)
        : message;
  if (packed.length <= chunkBytes) return [packed];
  const room = chunkBytes - chunkHeaderBytes;
  const count = Math.ceil(packed.length / room);
  if (count > mostChunks) return [];
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, number) =>
    Buffer.concat([
      Buffer.from([0x1e, 0x0f]),
      id,
      Buffer.from([number, count]),
      packed.subarray(number * room, (number + 1) * room),
    ]),
  );
}

export class GelfUdpSink implements LogSink {
  readonly #config: GelfConfig;
  readonly #connection: UdpConnection;

  constructor(config: GelfConfig) {
    this.#config = config;
    this.#connection = new UdpConnection(config.host, config.port);
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    for (const [index, message] of messages.entries()) {
      // GELF knows no empty messages; Docker leaves them out as well.
      if (message.line.length === 0) continue;
      try {
        const datagrams = gelfDatagrams(this.#config, gelfMessage(this.#config, message));
        for (let sent = 0; sent < datagrams.length; )
          sent += await this.#connection.send(datagrams.slice(sent));
      } catch (error) {
        if (index === 0) throw error;
        return index;
      }
    }
    return messages.length;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}

/** Over TCP a message ends with a zero byte. */
export class GelfTcpSink implements LogSink {
  readonly #config: GelfConfig;
  readonly #connection: StreamConnection;

  constructor(config: GelfConfig) {
    this.#config = config;
    this.#connection = new StreamConnection({ kind: 'tcp', host: config.host, port: config.port });
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    const pieces = messages
      .filter(({ line }) => line.length > 0)
      .flatMap(message => [gelfMessage(this.#config, message), Buffer.from([0])]);
    if (pieces.length > 0) await this.#connection.send(Buffer.concat(pieces));
    return messages.length;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
