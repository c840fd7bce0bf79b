import { type LogMessage, utcTime } from '../log-message.ts';
import type { LogSink } from '../log-sink.ts';
import { expandTag, extraAttributes, type LogOptions, type LogSource } from '../log-source.ts';
import { UnixDatagramConnection } from './datagram-connection.ts';

const journalSocket = '/run/systemd/journal/socket';

export interface JournaldConfig {
  /** The fields that every entry has, by name. */
  fields: Record<string, string>;
}

export function parseJournaldConfig(source: LogSource, options: LogOptions): JournaldConfig {
  const tag = expandTag(source, options);
  return {
    fields: {
      CONTAINER_ID: source.id.slice(0, 12),
      CONTAINER_ID_FULL: source.id,
      CONTAINER_NAME: source.name,
      CONTAINER_TAG: tag,
      IMAGE_NAME: source.imageName,
      SYSLOG_IDENTIFIER: tag,
      ...extraAttributes(source, options, fieldName),
    },
  };
}

/** Capital letters, digits and underscores, of which it may not begin with the last. */
function fieldName(name: string): string {
  return name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '_')
    .replace(/^_+/, '');
}

const priorityInfo = '6';
const priorityError = '3';

/**
 * The journal's native protocol: fields of one entry in one datagram, `NAME=value\n`, or for values with newlines
 * `NAME\n`, eight bytes of length (little endian), the value and `\n`.
 */
export function journalEntry(config: JournaldConfig, message: LogMessage): Buffer {
  const { partial } = message;
  const fields: [string, string | Buffer][] = [
    ['MESSAGE', message.line],
    ['PRIORITY', message.stream === 'stderr' ? priorityError : priorityInfo],
    ['SYSLOG_TIMESTAMP', utcTime(message)],
    ...Object.entries(config.fields),
  ];
  if (partial !== undefined) {
    fields.push(
      ['CONTAINER_PARTIAL_ID', String(partial.id)],
      ['CONTAINER_PARTIAL_ORDINAL', String(partial.ordinal)],
    );
    fields.push(['CONTAINER_PARTIAL_LAST', String(partial.last)]);
    if (!partial.last) fields.push(['CONTAINER_PARTIAL_MESSAGE', 'true']);
  }
  return Buffer.concat(fields.flatMap(([name, value]) => encodeField(name, Buffer.from(value))));
}

function encodeField(name: string, value: Buffer): Buffer[] {
  if (!value.includes(10)) return [Buffer.from(`${name}=`), value, Buffer.from('\n')];
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return [Buffer.from(`${name}\n`), length, value, Buffer.from('\n')];
}

export class JournaldSink implements LogSink {
  readonly #config: JournaldConfig;
  readonly #connection = new UnixDatagramConnection(journalSocket, { largeAsMemory: true });

  constructor(config: JournaldConfig) {
    this.#config = config;
  }

  write(messages: readonly LogMessage[]): Promise<number> {
    return this.#connection.send(messages.map(message => journalEntry(this.#config, message)));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }
}
