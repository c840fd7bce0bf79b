import { parseByteSize } from '../../stdx/byte-size.ts';
import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import { parseGoDuration } from '../../stdx/go-duration.ts';
import { usualLineBytes } from './log-message.ts';
import { booleanOption, invalidOption, parseInteger, sizeOption } from './log-option-values.ts';
import type { LogSink } from './log-sink.ts';
import { attributeOptions, type LogOptions, type LogSource } from './log-source.ts';
import { AwsLogsSink, awsEventBytes, parseAwsLogsConfig, validateAwsLogsOptions } from './sinks/awslogs.ts';
import { FluentdSink, parseFluentdConfig, validateFluentdOptions } from './sinks/fluentd.ts';
import { GcpLogsSink, parseGcpLogsConfig } from './sinks/gcplogs.ts';
import { GelfTcpSink, GelfUdpSink, parseGelfConfig, validateGelfOptions } from './sinks/gelf.ts';
import { JournaldSink, parseJournaldConfig } from './sinks/journald.ts';
import { JsonFileSink, parseJsonFileConfig } from './sinks/json-file.ts';
import { parseSyslogConfig, SyslogSink, validateSyslogOptions } from './sinks/syslog.ts';

/** How a sink is served. */
export interface DeliveryPolicy {
  /** What it takes of one line. */
  lineBytes: number;
  /** How long lines are gathered before they are delivered. */
  gatherMs: number;
  /** Before the first new attempt; undefined: the usual. Longer each time. */
  retryMs: number | undefined;
  /** After so many attempts what was to be delivered is given up; undefined: never. */
  mostRetries: number | undefined;
  /** What is kept for a receiver that is away; undefined: all, within the limits of the captured log. */
  mostBehindBytes: number | undefined;
}

/** A log driver whose lines go somewhere: its sink follows the captured log. */
export interface SinkDriver {
  readonly options: readonly string[];
  /** Docker's words for an option that it does not have. */
  unknown(option: string, driver: string): string;
  /** What Docker checks at creation, besides the names. */
  validate?(options: LogOptions): void;
  /** What Docker checks at the start. */
  prepare(source: LogSource, options: LogOptions, jsonPath: string): OpenSink;
  policy?(options: LogOptions): Partial<DeliveryPolicy>;
}

export type OpenSink = (state: Readonly<Record<string, number>> | undefined) => LogSink;

const unknownOf = (option: string, driver: string) => `unknown log opt '${option}' for ${driver} log driver`;

const sinkDrivers: Readonly<Record<string, SinkDriver>> = {
  awslogs: {
    options: [
      ...['awslogs-create-group', 'awslogs-create-stream', 'awslogs-datetime-format', 'awslogs-endpoint'],
      ...['awslogs-force-flush-interval-seconds', 'awslogs-group', 'awslogs-multiline-pattern'],
      ...['awslogs-region', 'awslogs-stream', 'tag'],
    ],
    unknown: unknownOf,
    validate: validateAwsLogsOptions,
    prepare(source, options) {
      const config = parseAwsLogsConfig(source, options, process.env);
      return () => new AwsLogsSink(config, process.env);
    },
    policy: options => ({
      lineBytes: awsEventBytes,
      gatherMs: parseInteger(options['awslogs-force-flush-interval-seconds'] ?? '5') * 1000,
    }),
  },
  fluentd: {
    options: [
      ...['fluentd-address', 'fluentd-async', 'fluentd-async-connect', 'fluentd-async-reconnect-interval'],
      ...['fluentd-buffer-limit', 'fluentd-max-retries', 'fluentd-request-ack', 'fluentd-retry-wait'],
      ...['fluentd-sub-second-precision', 'tag', ...attributeOptions],
    ],
    unknown: unknownOf,
    validate: validateFluentdOptions,
    prepare(source, options) {
      const config = parseFluentdConfig(source, options);
      return () => new FluentdSink(config);
    },
    policy: options => ({
      retryMs: options['fluentd-retry-wait']
        ? parseGoDuration(options['fluentd-retry-wait']) / 1e6
        : undefined,
      mostRetries: options['fluentd-max-retries'] ? Number(options['fluentd-max-retries']) : undefined,
      mostBehindBytes: options['fluentd-buffer-limit']
        ? parseByteSize(options['fluentd-buffer-limit'])
        : undefined,
    }),
  },
  gcplogs: {
    options: [
      'gcp-log-cmd',
      'gcp-meta-id',
      'gcp-meta-name',
      'gcp-meta-zone',
      'gcp-project',
      ...attributeOptions,
    ],
    unknown: option => `"${option}" is not a valid option for the gcplogs driver`,
    prepare(source, options) {
      const config = parseGcpLogsConfig(source, options, process.env);
      return () => new GcpLogsSink(config);
    },
    policy: () => ({ gatherMs: 1000 }),
  },
  gelf: {
    options: [
      ...['gelf-address', 'gelf-compression-level', 'gelf-compression-type', 'gelf-tcp-max-reconnect'],
      ...['gelf-tcp-reconnect-delay', 'tag', ...attributeOptions],
    ],
    unknown: (option, driver) => `unknown log opt "${option}" for ${driver} log driver`,
    validate: validateGelfOptions,
    prepare(source, options) {
      const config = parseGelfConfig(source, options);
      return () => (config.kind === 'udp' ? new GelfUdpSink(config) : new GelfTcpSink(config));
    },
    policy: options => ({
      retryMs: options['gelf-tcp-reconnect-delay']
        ? Number(options['gelf-tcp-reconnect-delay']) * 1000
        : undefined,
      mostRetries: options['gelf-tcp-max-reconnect'] ? Number(options['gelf-tcp-max-reconnect']) : undefined,
    }),
  },
  journald: {
    options: ['tag', ...attributeOptions],
    unknown: unknownOf,
    prepare(source, options) {
      const config = parseJournaldConfig(source, options);
      return () => new JournaldSink(config);
    },
  },
  'json-file': {
    options: ['max-file', 'max-size', 'compress', 'tag', ...attributeOptions],
    unknown: (option, driver) => `unknown log opt '${option}' for ${driver} log driver`,
    prepare(source, options, jsonPath) {
      const config = parseJsonFileConfig(source, options);
      return state => new JsonFileSink(jsonPath, config, state);
    },
  },
  syslog: {
    options: [
      ...['syslog-address', 'syslog-facility', 'syslog-format', 'syslog-tls-ca-cert', 'syslog-tls-cert'],
      ...['syslog-tls-key', 'syslog-tls-skip-verify', 'tag', ...attributeOptions],
    ],
    unknown: unknownOf,
    validate: validateSyslogOptions,
    prepare(source, options) {
      const config = parseSyslogConfig(source, options);
      return () => new SyslogSink(config);
    },
  },
};

/** Of Docker's, those that do not exist here. */
const foreignDrivers = ['logentries', 'splunk', 'etwlogs'];

/** All that a container can be created with, but for `none`, as `info` lists them. */
export const logDriverNames: readonly string[] = [...Object.keys(sinkDrivers), 'local'].sort();

const deliveryOptions = ['mode', 'max-buffer-size'];
const cacheOptions = ['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'];
const defaultBufferBytes = 1 << 20;

/** undefined for drivers that keep the captured log, or nothing. */
export function sinkDriverOf(name: string): SinkDriver | undefined {
  return Object.hasOwn(sinkDrivers, name) ? sinkDrivers[name] : undefined;
}

/**
 * What Docker checks when a container is created, and when the daemon gets its defaults.
 * @throws EngineError `invalid` or `notImplemented`, in Docker's words where it has some
 */
export function validateLogConfig(driver: string, options: LogOptions): void {
  if (driver === 'none') return;
  const sink = sinkDriverOf(driver);
  if (sink === undefined && driver !== 'local') {
    if (!foreignDrivers.includes(driver)) {
      throw invalidOption(`error looking up logging plugin ${driver}: plugin "${driver}" not found`);
    }
    const known = logDriverNames.join(', ');
    throw new EngineError('notImplemented', `log driver "${driver}" is not supported: use one of ${known}`);
  }
  validateDelivery(options);
  const knownOptions = sink?.options ?? localOptions;
  for (const option of Object.keys(options)) {
    if (knownOptions.includes(option) || deliveryOptions.includes(option) || cacheOptions.includes(option))
      continue;
    throw invalidOption(sink?.unknown(option, driver) ?? `unknown log opt '${option}' for log driver local`);
  }
  sink?.validate?.(options);
}

function validateDelivery(options: LogOptions): void {
  const mode = options['mode'] ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalidOption(`logger: logging mode not supported: ${mode}`);
  }
  const size = options['max-buffer-size'];
  if (size !== undefined) {
    if (mode !== 'non-blocking') {
      throw invalidOption("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    }
    attempt('error parsing option max-buffer-size', () => parseByteSize(size));
  }
  const disabled = options['cache-disabled'];
  if (disabled === undefined) return;
  try {
    booleanOption(options, 'cache-disabled', false);
  } catch {
    throw invalidOption(`invalid value for option cache-disabled: ${disabled}`);
  }
}

/**
 * What Docker checks when a container is started.
 * @throws EngineError `invalid`: `failed to initialize logging driver: ...`
 */
export function requireUsableLogConfig(driver: string, options: LogOptions, source: LogSource): void {
  if (driver === 'none') return;
  attempt('failed to initialize logging driver', () => {
    sinkDriverOf(driver)?.prepare(source, options, '');
    captureLimitsOf(driver, options);
  });
}

export function policyOf(driver: string, options: LogOptions): DeliveryPolicy {
  const nonBlocking = options['mode'] === 'non-blocking';
  return {
    lineBytes: usualLineBytes,
    gatherMs: 0,
    retryMs: undefined,
    mostRetries: undefined,
    mostBehindBytes: nonBlocking ? sizeOption(options, 'max-buffer-size', defaultBufferBytes) : undefined,
    ...definedOnly(sinkDriverOf(driver)?.policy?.(options) ?? {}),
  };
}

function definedOnly<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** What is kept of a captured log. */
export interface CaptureLimits {
  /** A file that has grown beyond this is rotated. */
  maxSizeBytes: number;
  /** Files kept, the current one included. */
  maxFiles: number;
  compress: boolean;
}

const localOptions = ['max-size', 'max-file', 'compress'];
/** Docker's, of the `local` driver, and of what it keeps for reading beside drivers that cannot be read. */
const usualLimits: CaptureLimits = { maxSizeBytes: 20 << 20, maxFiles: 5, compress: true };

/**
 * How much of the captured log is kept, which is what `logs` can show.
 * @throws EngineError `invalid` in Docker's words
 */
export function captureLimitsOf(driver: string, options: LogOptions): CaptureLimits {
  if (driver === 'json-file') {
    const maxSizeBytes = sizeOption(options, 'max-size', -1);
    // Docker keeps all when nothing is said; the files that are complete are compressed all the same.
    if (maxSizeBytes === -1) return { ...usualLimits, maxFiles: Number.POSITIVE_INFINITY };
    return { maxSizeBytes, maxFiles: parseInteger(options['max-file'] ?? '1'), compress: true };
  }
  if (driver !== 'local') {
    if (booleanOption(options, 'cache-disabled', false)) return { ...usualLimits, maxFiles: 1 };
    return parseLimits(name => options[`cache-${name}`]);
  }
  return parseLimits(name => options[name]);
}

function parseLimits(option: (name: string) => string | undefined): CaptureLimits {
  const [size, files, compress] = [option('max-size'), option('max-file'), option('compress')];
  const limits = { ...usualLimits };
  if (size !== undefined) {
    limits.maxSizeBytes =
      attempt(`invalid value for max-size: ${size}`, () => parseByteSize(size)) || usualLimits.maxSizeBytes;
  }
  if (files !== undefined) {
    limits.maxFiles = attempt(`invalid value for max-file: ${files}`, () => parseInteger(files));
    if (limits.maxFiles < 0)
      throw invalidOption(`invalid value for max-file: ${files}: must be a positive number`);
  }
  if (compress !== undefined) {
    limits.compress = attempt('error reading compress log option', () =>
      booleanOption({ compress }, 'compress', true),
    );
  }
  if (limits.maxFiles <= 1 && limits.compress) {
    throw invalidOption('compression cannot be enabled when max file count is 1');
  }
  return limits;
}

function attempt<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof EngineError) throw within(doing, error);
    throw new EngineError('invalid', `${doing}: ${messageOf(error)}`, { cause: error });
  }
}
