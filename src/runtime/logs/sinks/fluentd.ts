import { randomBytes } from 'node:crypto';
import { EngineError } from '../../../stdx/errors.ts';
import { goDurationOf, parseGoDuration } from '../../../stdx/go-duration.ts';
import { parseTransportAddress } from '../log-address.ts';
import { type LogMessage, timeNsOf } from '../log-message.ts';
import { booleanOption, invalidOption, parseInteger, sizeOption } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { expandTag, extraAttributes, type LogOptions, type LogSource } from '../log-source.ts';
import { EventTime, type Packable, pack } from './msgpack.ts';
import { type StreamAddress, StreamConnection } from './stream-connection.ts';

export interface FluentdConfig {
  address: StreamAddress;
  tag: string;
  subSecondPrecision: boolean;
  /** A message counts as delivered when the receiver says so. */
  requestAck: boolean;
  /** After this the connection is made anew, as the name may stand for another address by then; 0: never. */
  reconnectIntervalMs: number;
  /** What every record says of its container. */
  record: Record<string, string>;
}

const schemes = ['tcp', 'unix', 'tls'];

/** What Docker checks when a container is created. */
export function validateFluentdOptions(options: LogOptions): void {
  parseAddress(options['fluentd-address'] ?? '');
  for (const name of ['fluentd-async', 'fluentd-async-connect', 'fluentd-request-ack'] as const) {
    booleanOption(options, name, false);
  }
  booleanOption(options, 'fluentd-sub-second-precision', false);
  sizeOption(options, 'fluentd-buffer-limit', 0);
  if (options['fluentd-async'] !== undefined && options['fluentd-async-connect'] !== undefined) {
    throw invalidOption(
      "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'",
    );
  }
  for (const name of ['fluentd-retry-wait', 'fluentd-async-reconnect-interval'] as const) {
    if (options[name]) parseGoDuration(options[name]);
  }
  if (options['fluentd-max-retries']) parseInteger(options['fluentd-max-retries'], 'ParseUint');
  const interval = goDurationOf(options['fluentd-async-reconnect-interval'] || '0') ?? 0;
  if (interval !== 0 && (interval < 100e6 || interval > 10e9)) {
    throw invalidOption(
      `invalid value for fluentd-async-reconnect-interval: value (${options['fluentd-async-reconnect-interval']}) must be between 100ms and 10s`,
    );
  }
}

export function parseFluentdConfig(source: LogSource, options: LogOptions): FluentdConfig {
  return {
    address: parseAddress(options['fluentd-address'] ?? ''),
    tag: expandTag(source, options),
    subSecondPrecision: booleanOption(options, 'fluentd-sub-second-precision', false),
    requestAck: booleanOption(options, 'fluentd-request-ack', false),
    reconnectIntervalMs: parseGoDuration(options['fluentd-async-reconnect-interval'] || '0') / 1e6,
    record: {
      container_id: source.id,
      container_name: `/${source.name}`,
      ...extraAttributes(source, options),
    },
  };
}

function parseAddress(text: string): StreamAddress {
  const wrong = (reason: string) => invalidOption(`invalid fluentd-address ${text}: ${reason}`);
  const address = parseTransportAddress(text, schemes);
  if (address?.scheme === 'unix') return { kind: 'unix', path: address.path };
  if (address === undefined) {
    const [host = '', ...rest] = text.split(':');
    const port = rest.join(':');
    if (rest.length > 0 && !/^\d+$/.test(port)) {
      throw wrong(`strconv.Atoi: parsing "${port}": invalid syntax`);
    }
    return { kind: 'tcp', host: host || defaultHost, port: Number(port || defaultPort) };
  }
  const { scheme, host, port, path } = address;
  if (port !== undefined && !/^\d*$/.test(port)) {
    throw wrong(`parse "${text}": invalid port ":${port}" after host`);
  }
  if (path !== '' && path !== '/') throw wrong('should not contain a path element');
  const place = { host: host || defaultHost, port: Number(port || defaultPort) };
  return scheme === 'tls' ? { kind: 'tls', ...place, tls: {} } : { kind: 'tcp', ...place };
}

const defaultHost = '127.0.0.1';
const defaultPort = 24_224;

/** `[tag, time, record, option]`: Forward Protocol v1, Message Mode. */
export function fluentdMessage(
  config: FluentdConfig,
  message: LogMessage,
  chunk: string | undefined,
): Buffer {
  const ns = timeNsOf(message);
  const record: Record<string, Packable> = { ...config.record, source: message.stream, log: message.line };
  if (message.partial !== undefined) {
    record['partial_message'] = 'true';
    record['partial_id'] = String(message.partial.id);
    record['partial_ordinal'] = String(message.partial.ordinal);
    record['partial_last'] = String(message.partial.last);
  }
  const time = config.subSecondPrecision ? new EventTime(ns) : Number(ns / 1_000_000_000n);
  return pack([config.tag, time, record, chunk === undefined ? {} : { chunk }]);
}

/** How long the receiver may take to acknowledge. */
const ackTimeoutMs = 10_000;

export class FluentdSink implements LogSink {
  readonly #config: FluentdConfig;
  readonly #connection: StreamConnection;
  #received = Buffer.alloc(0);
  #arrived: (() => void) | undefined;
  #connectedAtMs = 0;

  constructor(config: FluentdConfig) {
    this.#config = config;
    this.#connection = new StreamConnection(config.address, chunk => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#arrived?.();
    });
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    await this.#renewConnection();
    if (this.#config.requestAck) return this.#writeAcknowledged(messages);
    await this.#connection.send(
      Buffer.concat(messages.map(message => fluentdMessage(this.#config, message, undefined))),
    );
    return messages.length;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #renewConnection(): Promise<void> {
    const { reconnectIntervalMs } = this.#config;
    const isDue = reconnectIntervalMs > 0 && Date.now() - this.#connectedAtMs >= reconnectIntervalMs;
    if (this.#connection.isOpen && isDue) await this.#connection.close();
    if (!this.#connection.isOpen) this.#connectedAtMs = Date.now();
  }

  async #writeAcknowledged(messages: readonly LogMessage[]): Promise<number> {
    for (const [index, message] of messages.entries()) {
      const chunk = randomBytes(16).toString('base64');
      try {
        this.#received = Buffer.alloc(0);
        await this.#connection.send(fluentdMessage(this.#config, message, chunk));
        await this.#acknowledged(chunk);
      } catch (error) {
        this.#connection.drop();
        if (index === 0) throw error;
        return index;
      }
    }
    return messages.length;
  }

  /** The answer is {"ack": chunk}; a chunk is unique, so that finding it is enough. */
  async #acknowledged(chunk: string): Promise<void> {
    const expected = pack({ ack: chunk });
    const deadline = Date.now() + ackTimeoutMs;
    while (!this.#received.includes(expected)) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0 || !this.#connection.isOpen) {
        throw new EngineError('unavailable', 'the receiver did not acknowledge a message');
      }
      await this.#arrival(Math.min(leftMs, 1000));
    }
  }

  /** Settles when something comes, or after a while: a connection that ends says nothing here. */
  #arrival(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#arrived = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
