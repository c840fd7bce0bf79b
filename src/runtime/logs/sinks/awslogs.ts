import { EngineError } from '../../../stdx/errors.ts';
import type { GoRegexp } from '../../../stdx/go-regexp/go-regexp.ts';
import { type LogMessage, timeNsOf } from '../log-message.ts';
import { invalidOption, parseBool, parseInteger } from '../log-option-values.ts';
import type { LogSink } from '../log-sink.ts';
import { expandTag, type LogOptions, type LogSource, parseExpression } from '../log-source.ts';
import { type AwsCredentials, signAwsRequest } from './aws-signature.ts';
import { httpPost } from './http-post.ts';

export interface AwsLogsConfig {
  endpoint: string;
  region: string;
  group: string;
  stream: string;
  createGroup: boolean;
  createStream: boolean;
  /** A line that matches begins an event; undefined: every line is one. A pattern's source, as it is sent on. */
  eventStart: string | undefined;
  /** Lines are gathered for this long. */
  flushIntervalMs: number;
}

const positiveOptions = ['awslogs-force-flush-interval-seconds', 'awslogs-max-buffered-events'];

/** What Docker checks when a container is created. */
export function validateAwsLogsOptions(options: LogOptions): void {
  for (const name of ['awslogs-create-group', 'awslogs-create-stream'] as const) {
    if (options[name] === undefined) continue;
    try {
      parseBool(options[name]);
    } catch (error) {
      throw invalidOption(`must specify valid value for log opt '${name}': ${(error as Error).message}`);
    }
  }
  for (const name of positiveOptions) {
    if (options[name] === undefined || /^[1-9]\d*$/.test(options[name])) continue;
    throw invalidOption(`must specify a positive integer for log opt '${name}': ${options[name]}`);
  }
  if (!options['awslogs-group']) throw invalidOption("must specify a value for log opt 'awslogs-group'");
  if (
    options['awslogs-datetime-format'] !== undefined &&
    options['awslogs-multiline-pattern'] !== undefined
  ) {
    throw invalidOption(
      "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time",
    );
  }
}

/** @param env the daemon's: region and credentials may stand there */
export function parseAwsLogsConfig(
  source: LogSource,
  options: LogOptions,
  env: Readonly<Record<string, string | undefined>>,
): AwsLogsConfig {
  const region = options['awslogs-region'] || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || '';
  if (region === '') {
    throw new EngineError(
      'invalid',
      'Cannot get region for awslogs driver: give awslogs-region, or AWS_REGION in the environment of the daemon',
    );
  }
  const credentialsMissing =
    env['AWS_ACCESS_KEY_ID'] === undefined || env['AWS_SECRET_ACCESS_KEY'] === undefined;
  if (credentialsMissing) {
    throw new EngineError(
      'invalid',
      'no credentials for awslogs driver: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not in the environment of the daemon',
    );
  }
  return {
    endpoint: options['awslogs-endpoint'] || `https://logs.${region}.amazonaws.com`,
    region,
    group: options['awslogs-group']!,
    stream: (options['awslogs-stream'] || expandTag(source, options, '{{.FullID}}')).replaceAll(/[:*]/g, '_'),
    createGroup: parseBool(options['awslogs-create-group'] ?? 'false'),
    createStream: parseBool(options['awslogs-create-stream'] ?? 'true'),
    eventStart: eventStartOf(options),
    flushIntervalMs: parseInteger(options['awslogs-force-flush-interval-seconds'] ?? '5') * 1000,
  };
}

function eventStartOf(options: LogOptions): string | undefined {
  const format = options['awslogs-datetime-format'];
  if (format !== undefined) return patternOfTime(format);
  const pattern = options['awslogs-multiline-pattern'];
  if (pattern === undefined) return undefined;
  try {
    parseExpression(pattern);
    return pattern;
  } catch (error) {
    throw invalidOption(
      `awslogs could not parse multiline pattern key "${pattern}": ${(error as Error).message}`,
    );
  }
}

/** strftime's directives as expressions (docs of the awslogs driver). */
const directives: Record<string, string> = {
  A: '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day',
  a: '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)',
  B: '(?:January|February|March|April|May|June|July|August|September|October|November|December)',
  b: '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)',
  d: '\\d\\d',
  f: '\\d+',
  H: '\\d\\d',
  I: '\\d\\d',
  j: '\\d{3}',
  L: '\\.\\d{3}',
  M: '\\d\\d',
  m: '\\d\\d',
  p: '[AP]M',
  S: '\\d\\d',
  w: '\\d',
  Y: '\\d{4}',
  y: '\\d\\d',
  Z: '[A-Z]{1,4}T',
  z: '[+-]\\d{4}',
};

function patternOfTime(format: string): string {
  return format.replaceAll(/%(.)|([\\^$.|?*+()[\]{}])/g, (_, directive?: string, special?: string) => {
    if (special !== undefined) return `\\${special}`;
    if (directive === '%') return '%';
    const pattern = directives[directive!];
    if (pattern === undefined) throw invalidOption(`awslogs-datetime-format: %${directive} is not supported`);
    return pattern;
  });
}

/** Limits of PutLogEvents: an event costs 26 bytes besides its text. */
const eventOverheadBytes = 26;
const mostBatchBytes = 1_048_576;
const mostBatchEvents = 10_000;
/** What an event may hold; longer lines come in pieces. */
export const awsEventBytes = 262_144 - eventOverheadBytes;

interface AwsEvent {
  timestamp: number;
  message: string;
  sizeBytes: number;
  /** How many messages it is made of. */
  messages: number;
}

/** Lines put together to events; `eventStart` says which line begins one. */
export function eventsOf(messages: readonly LogMessage[], eventStart: GoRegexp | undefined): AwsEvent[] {
  const events: AwsEvent[] = [];
  let parts: Buffer[] = [];
  for (const message of messages) {
    const line = Buffer.concat([message.line, Buffer.from('\n')]);
    const last = events.at(-1);
    const goesOn =
      eventStart !== undefined &&
      last !== undefined &&
      last.sizeBytes + line.length <= awsEventBytes &&
      !eventStart.fits(message.line.toString());
    if (goesOn) {
      parts.push(line);
      last.sizeBytes += line.length;
      last.messages++;
    } else {
      const timestamp = Number(timeNsOf(message) / 1_000_000n);
      // Single lines go without their newline.
      parts = [eventStart === undefined ? message.line : line];
      events.push({ timestamp, message: '', sizeBytes: parts[0]!.length, messages: 1 });
    }
    events.at(-1)!.message = parts.length === 1 ? parts[0]!.toString() : '';
    if (parts.length > 1) events.at(-1)!.message = Buffer.concat(parts).toString();
  }
  return events;
}

export class AwsLogsSink implements LogSink {
  readonly #config: AwsLogsConfig;
  readonly #credentials: AwsCredentials;
  readonly #eventStart: GoRegexp | undefined;
  #isReady = false;

  constructor(config: AwsLogsConfig, env: Readonly<Record<string, string | undefined>>) {
    this.#config = config;
    this.#eventStart = config.eventStart === undefined ? undefined : parseExpression(config.eventStart);
    this.#credentials = {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      sessionToken: env['AWS_SESSION_TOKEN'],
    };
  }

  async write(messages: readonly LogMessage[], final: boolean): Promise<number> {
    const events = eventsOf(messages, this.#eventStart);
    // The last event may go on with the next line.
    if (this.#eventStart !== undefined && !final) events.pop();
    const batch = firstBatch(events);
    if (batch.length === 0) return 0;
    if (!this.#isReady) await this.#prepare();
    // An empty line is no event there.
    const logEvents = batch
      .filter(({ message }) => message !== '')
      .map(({ timestamp, message }) => ({ timestamp, message }))
      .sort((a, b) => a.timestamp - b.timestamp);
    const { group: logGroupName, stream: logStreamName } = this.#config;
    if (logEvents.length > 0) await this.#call('PutLogEvents', { logGroupName, logStreamName, logEvents });
    return batch.reduce((sum, event) => sum + event.messages, 0);
  }

  async close(): Promise<void> {}

  async #prepare(): Promise<void> {
    const { group: logGroupName, stream: logStreamName, createGroup, createStream } = this.#config;
    if (createGroup) await this.#call('CreateLogGroup', { logGroupName }, 'ResourceAlreadyExistsException');
    if (createStream) {
      await this.#call('CreateLogStream', { logGroupName, logStreamName }, 'ResourceAlreadyExistsException');
    }
    this.#isReady = true;
  }

  async #call(action: string, argument: object, accepted?: string): Promise<void> {
    const { region, endpoint } = this.#config;
    const url = new URL('/', endpoint);
    const body = Buffer.from(JSON.stringify(argument));
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Logs_20140328.${action}`,
      ...(action === 'PutLogEvents' ? { 'x-amzn-logs-format': 'text' } : {}),
    };
    const signed = signAwsRequest(
      { url, region, service: 'logs', headers, body },
      this.#credentials,
      new Date(),
    );
    const answer = await httpPost(url, signed, body);
    if (answer.status === 200) return;
    if (accepted !== undefined && answer.body.includes(accepted)) return;
    // Made anew when somebody has removed it.
    if (answer.body.includes('ResourceNotFoundException')) this.#isReady = false;
    throw new EngineError('unavailable', `${action}: ${answer.status} ${answer.body.slice(0, 300)}`);
  }
}

function firstBatch(events: readonly AwsEvent[]): AwsEvent[] {
  let sizeBytes = 0;
  const end = events.findIndex((event, index) => {
    sizeBytes += event.sizeBytes + eventOverheadBytes;
    return sizeBytes > mostBatchBytes || index >= mostBatchEvents;
  });
  return end < 0 ? [...events] : events.slice(0, end);
}
