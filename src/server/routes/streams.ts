import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { multiplexedStreamType, rawStreamType } from '../../api/paths.ts';
import type { Attachment, AttachOptions, ContainerStatsSample } from '../../engine/engine.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { statsToWire } from '../convert/stats.ts';
import { fixedTime } from '../convert/time.ts';
import { expectEarlyData, type Hijacked, hijack } from '../hijack.ts';
import { EncodingMemory, encodeLogs, type LogEncoding } from '../log-frames.ts';
import { statusOf } from '../status.ts';
import { requireWebSocketRequest, upgradeToWebSocket } from '../websocket.ts';

/** What flows out of containers while they run: attach, logs, stats. */
export const streamRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/attach', handler: attach },
  { method: 'GET', path: '/containers/{id}/attach/ws', handler: attachWebSocket },
  { method: 'GET', path: '/containers/{id}/logs', handler: logs },
  { method: 'GET', path: '/containers/{id}/stats', handler: stats },
];

async function attach(call: Call): Promise<void> {
  expectEarlyData(call);
  let attachment: Attachment;
  try {
    attachment = await call.engine.containers.attach(call.param('id'), attachOptions(call));
  } catch (error) {
    refuseAttach(call, error);
    return;
  }
  await pump(call, attachment, hijack(call, attachment.tty));
}

/** As websockets cannot be half closed, the end of the input is that of the connection. */
async function attachWebSocket(call: Call): Promise<void> {
  requireWebSocketRequest(call);
  const attachment = await call.engine.containers.attach(call.param('id'), attachOptions(call));
  await pump(call, attachment, upgradeToWebSocket(call));
}

function attachOptions({ query }: Call): AttachOptions {
  return {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
    detachKeys: query.optional('detachKeys'),
  };
}

async function pump(call: Call, attachment: Attachment, connection: Hijacked): Promise<void> {
  try {
    await attachment.pump(connection);
  } catch (error) {
    // There is no status line any more to say it with.
    call.services.log.warn({ err: error, container: call.param('id') }, 'attach ended with an error');
    connection.stdout.write(Buffer.from(`Error attaching: ${messageOf(error)}\n`));
  } finally {
    await connection.end();
  }
}

/** dockerd has hijacked the connection by then, and says it as plain text (moby, postContainersAttach). */
function refuseAttach({ response, services }: Call, error: unknown): void {
  services.log.debug({ err: error }, 'attach refused');
  const body = Buffer.from(`${messageOf(error)}\r\n`);
  response.writeHead(statusOf(error), {
    'Content-Type': rawStreamType,
    'Content-Length': body.length,
    Connection: 'close',
  });
  response.end(body);
}

async function logs(call: Call): Promise<void> {
  const { engine, query, response, signal } = call;
  const stdout = query.flag('stdout');
  const stderr = query.flag('stderr');
  if (!stdout && !stderr) {
    throw new EngineError('invalid', 'Bad parameters: you must choose at least one stream');
  }
  const record = engine.containers.get(call.param('id'));
  const { tty } = record.config;
  const follow = query.flag('follow');
  const tail = query.text('tail');
  const batches = engine.containers.logs(
    record.id,
    {
      stdout,
      stderr,
      follow,
      // Anything but a number means all (moby, daemon/logs.go).
      tail: /^\d+$/.test(tail) ? Number(tail) : undefined,
      sinceNs: timestampNs(query.text('since')),
      untilNs: timestampNs(query.text('until')),
    },
    signal,
  );
  const details = query.flag('details') ? engine.containers.logDetails(record.id) : undefined;
  const encoding: LogEncoding = {
    frames: framesFor(call, tty),
    prefix: prefixOf(query.flag('timestamps'), details),
  };
  response.setHeader('Content-Type', !tty && call.atLeast('1.42') ? multiplexedStreamType : rawStreamType);
  let memories: [EncodingMemory, EncodingMemory] = [new EncodingMemory(), new EncodingMemory()];
  let before: Promise<void> | undefined;
  try {
    for await (const batch of batches) {
      if (!response.headersSent) response.writeHead(200);
      const written = writeTo(response, encodeLogs(batch, encoding, memories[0]), signal);
      // The other memory is free when what was written from it before has gone; meanwhile the log is read on.
      await before;
      if (signal.aborted) return;
      before = written;
      memories = [memories[1], memories[0]];
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  response.end();
}

/** Settles when the kernel has it, or the client is gone. */
function writeTo(response: ServerResponse, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      signal.removeEventListener('abort', settle);
      resolve();
    };
    signal.addEventListener('abort', settle, { once: true });
    response.write(bytes, settle);
  });
}

/** Clients that copy what they get to their outputs, whatever a frame holds: ours and Docker's own. */
const copyingClients = /^(Docker-Client\/|gantry\b)/;

function framesFor(call: Call, tty: boolean): LogEncoding['frames'] {
  if (tty) return 'none';
  return copyingClients.test(call.request.headers['user-agent'] ?? '') ? 'per-stream' : 'per-line';
}

/** @param details attributes that the log driver keeps with each line; undefined: not asked for */
function prefixOf(timestamps: boolean, details: string | undefined): LogEncoding['prefix'] {
  const gap = details === undefined ? '' : `${details} `;
  if (timestamps) return (entries, index) => `${fixedTime(entries.timeNs(index))} ${gap}`;
  return gap === '' ? undefined : () => gap;
}

/**
 * `since` and `until` as clients send them: seconds since the epoch, with a fraction of up to nine digits.
 * @throws EngineError `invalid`
 */
export function timestampNs(text: string): bigint | undefined {
  if (text === '' || text === '0') return undefined;
  const match = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (match !== null) return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new EngineError('invalid', `invalid value for timestamp: "${text}"`);
  return BigInt(ms) * 1_000_000n;
}

async function stats(call: Call): Promise<void> {
  const { engine, query, signal } = call;
  const { id } = engine.containers.get(call.param('id'));
  const stream = query.flag('stream', true);
  const oneShot = query.flag('one-shot');
  if (stream && oneShot) {
    throw new EngineError('invalid', 'cannot have stream=true and one-shot=true');
  }
  if (oneShot) {
    call.json(statsToWire(engine.containers.stats(id), undefined));
    return;
  }
  const samples = engine.containers.followStats(id, signal);
  if (stream) await streamStats(call, samples);
  else await answerStats(call, samples);
}

/** A single answer takes two samples, so that there is a difference to compute with. */
async function answerStats(call: Call, samples: AsyncIterable<ContainerStatsSample>): Promise<void> {
  let before: ContainerStatsSample | undefined;
  for await (const sample of samples) {
    if (before !== undefined || !sample.running) {
      call.json(statsToWire(sample, before));
      return;
    }
    before = sample;
  }
}

async function streamStats(call: Call, samples: AsyncIterable<ContainerStatsSample>): Promise<void> {
  const { response, signal } = call;
  let before: ContainerStatsSample | undefined;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  try {
    for await (const sample of samples) {
      const line = `${JSON.stringify(statsToWire(sample, before))}\n`;
      if (!response.write(line)) await once(response, 'drain', { signal });
      before = sample;
    }
  } catch (error) {
    // It ends with the container, or the client has gone.
    if (!signal.aborted && !(error instanceof EngineError && error.kind === 'notFound')) throw error;
  }
  response.end();
}
