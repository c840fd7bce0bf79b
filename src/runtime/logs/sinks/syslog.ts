import { existsSync, statSync } from 'node:fs';
import { parseTransportAddress } from '../log-address.ts';
import type { LogMessage } from '../log-message.ts';
import { invalidOption } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { expandTag, type LogOptions, type LogSource } from '../log-source.ts';
import { type DatagramConnection, UdpConnection, UnixDatagramConnection } from './datagram-connection.ts';
import { StreamConnection, type TlsFiles } from './stream-connection.ts';

const facilities: readonly string[] = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  // 12 to 15 have no names in Docker.
  ...['', '', '', ''],
  ...Array.from({ length: 8 }, (_, number) => `local${number}`),
];
const formats = ['', 'rfc3164', 'rfc5424', 'rfc5424micro'] as const;
const schemes = ['tcp+tls', 'tcp', 'udp', 'unixgram', 'unix'];
/** Where a syslog daemon of this machine listens. */
const localPaths = ['/dev/log', '/var/run/syslog', '/var/run/log'];

type SyslogAddress =
  | { kind: 'local' }
  | { kind: 'udp' | 'tcp' | 'tcp+tls'; host: string; port: number }
  | { kind: 'unix' | 'unixgram'; path: string };

export interface SyslogConfig {
  address: SyslogAddress;
  facility: number;
  format: (typeof formats)[number];
  tls: TlsFiles;
  tag: string;
  hostName: string;
}

/** What Docker checks when a container is created. */
export function validateSyslogOptions(options: LogOptions): void {
  parseAddress(options['syslog-address'] ?? '');
  parseFacility(options['syslog-facility'] ?? '');
  parseFormat(options['syslog-format'] ?? '');
}

export function parseSyslogConfig(source: LogSource, options: LogOptions): SyslogConfig {
  return {
    address: parseAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility'] ?? ''),
    format: parseFormat(options['syslog-format'] ?? ''),
    tls: {
      ca: options['syslog-tls-ca-cert'],
      cert: options['syslog-tls-cert'],
      key: options['syslog-tls-key'],
      // As in Docker its being there is what counts.
      skipVerify: options['syslog-tls-skip-verify'] !== undefined,
    },
    tag: expandTag(source, options),
    hostName: source.hostName,
  };
}

function parseAddress(text: string): SyslogAddress {
  if (text === '') return { kind: 'local' };
  const address = parseTransportAddress(text, schemes);
  if (address === undefined) {
    throw invalidOption(`syslog-address should be in form proto://address, got ${text}`);
  }
  if (address.scheme === 'unix' || address.scheme === 'unixgram') {
    if (!existsSync(address.path)) throw invalidOption(`stat ${address.path}: no such file or directory`);
    return { kind: address.scheme, path: address.path };
  }
  const kind = address.scheme as 'udp' | 'tcp' | 'tcp+tls';
  return { kind, host: address.host, port: Number(address.port || 514) };
}

function parseFacility(text: string): number {
  if (text === '') return facilities.indexOf('daemon');
  const named = facilities.indexOf(text);
  const number = named >= 0 ? named : /^\d+$/.test(text) ? Number(text) : -1;
  if (number < 0 || number >= facilities.length) throw invalidOption('invalid syslog facility');
  return number;
}

function parseFormat(text: string): SyslogConfig['format'] {
  const format = formats.find(candidate => candidate === text);
  if (format === undefined) throw invalidOption('Invalid syslog format');
  return format;
}

const severityInfo = 6;
const severityError = 3;

/**
 * One line as a syslog packet. The process id is the daemon's, as in Docker.
 *
 *     (none)         <30>Nov 21 05:12:33 TAG[PID]: text
 *     rfc3164        <30>Nov 21 05:12:33 HOST TAG[PID]: text
 *     rfc5424        <30>1 2026-11-21T05:12:33Z HOST TAG PID TAG - text
 *     rfc5424micro   <30>1 2026-11-21T05:12:33.123456Z HOST TAG PID TAG - text
 */
export function syslogPacket(config: SyslogConfig, message: LogMessage): Buffer {
  const { facility, format, tag, hostName } = config;
  const priority = facility * 8 + (message.stream === 'stderr' ? severityError : severityInfo);
  const { pid } = process;
  const { time } = message;
  const zone = time.slice(29) === '+00:00' ? 'Z' : time.slice(29);
  const head =
    format === 'rfc5424'
      ? `<${priority}>1 ${time.slice(0, 19)}${zone} ${hostName} ${tag} ${pid} ${tag} - `
      : format === 'rfc5424micro'
        ? `<${priority}>1 ${time.slice(0, 26)}${zone} ${hostName} ${tag} ${pid} ${tag} - `
        : `<${priority}>${stampOf(time)} ${format === 'rfc3164' ? `${hostName} ` : ''}${tag}[${pid}]: `;
  const packet = Buffer.concat([Buffer.from(head), message.line, Buffer.from('\n')]);
  // RFC 5425: with TLS the new format goes with its length in front.
  const counted = config.address.kind === 'tcp+tls' && (format === 'rfc5424' || format === 'rfc5424micro');
  return counted ? Buffer.concat([Buffer.from(`${packet.length} `), packet]) : packet;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function stampOf(time: string): string {
  return `${months[Number(time.slice(5, 7)) - 1]} ${String(Number(time.slice(8, 10))).padStart(2)} ${time.slice(11, 19)}`;
}

export class SyslogSink implements LogSink {
  readonly #config: SyslogConfig;
  readonly #connection: StreamConnection | DatagramConnection;

  constructor(config: SyslogConfig) {
    this.#config = config;
    this.#connection = connectionTo(config);
  }

  async write(messages: readonly LogMessage[]): Promise<number> {
    const packets = messages.map(message => syslogPacket(this.#config, message));
    if (!(this.#connection instanceof StreamConnection)) return this.#connection.send(packets);
    await this.#connection.send(Buffer.concat(packets));
    return messages.length;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

function connectionTo({ address, tls }: SyslogConfig): StreamConnection | DatagramConnection {
  switch (address.kind) {
    case 'udp':
      return new UdpConnection(address.host, address.port);
    case 'tcp':
      return new StreamConnection({ kind: 'tcp', host: address.host, port: address.port });
    case 'tcp+tls':
      return new StreamConnection({ kind: 'tls', host: address.host, port: address.port, tls });
    case 'unixgram':
      return new UnixDatagramConnection(address.path);
    case 'unix':
      return new StreamConnection({ kind: 'unix', path: address.path });
    case 'local':
      return new UnixDatagramConnection(
        localPaths.find(path => statSync(path, { throwIfNoEntry: false })?.isSocket()) ?? localPaths[0]!,
      );
  }
}
