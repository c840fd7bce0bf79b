import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { editOutcomeToWire, editRequestFromWire } from '../convert/edit-request.ts';
import { scheduledRunToWire, scheduleSummaryToWire } from '../convert/schedules.ts';
import { editRequest } from '../convert/shapes.ts';
import { traceToWire } from '../convert/trace.ts';
import { whyToWire } from '../convert/why.ts';

/** What Docker has not: below /gantry/, so that it is never in the way of what Docker may have one day. */
export const gantryRoutes: readonly Route[] = [
  { method: 'POST', path: '/gantry/containers/{id}/edit', handler: edit },
  { method: 'GET', path: '/gantry/containers/{id}/why', handler: why },
  { method: 'GET', path: '/gantry/containers/{id}/trace', handler: trace },
  { method: 'GET', path: '/gantry/containers/{id}/capture', handler: captureContainer },
  { method: 'GET', path: '/gantry/networks/{id}/capture', handler: captureNetwork },
  { method: 'GET', path: '/gantry/schedules', handler: listSchedules },
  { method: 'GET', path: '/gantry/containers/{id}/schedule/runs', handler: listRuns },
  { method: 'POST', path: '/gantry/containers/{id}/schedule/run', handler: runNow },
  { method: 'POST', path: '/gantry/containers/{id}/schedule/pause', handler: pauseSchedule },
  { method: 'POST', path: '/gantry/containers/{id}/schedule/resume', handler: resumeSchedule },
];

async function edit(call: Call): Promise<void> {
  const body = await call.body(editRequest, 'EditRequest', { required: true });
  const outcome = await call.engine.containers.edit(call.param('id'), editRequestFromWire(body), {
    dryRun: call.query.flag('dry-run'),
    waitHealthy: call.query.flag('wait-healthy'),
  });
  call.json(editOutcomeToWire(outcome));
}

async function why(call: Call): Promise<void> {
  const { query } = call;
  const port = query.integer('port');
  if (port !== undefined && !isPort(port)) throw new EngineError('invalid', `invalid port: ${port}`);
  const answer = await call.engine.containers.why(call.param('id'), {
    port,
    resolve: query.optional('resolve'),
    reach: readReach(query.optional('reach')),
  });
  call.json(whyToWire(answer));
}

async function trace(call: Call): Promise<void> {
  const to = call.query.optional('to') ?? '';
  const protocol = call.query.optional('protocol') || 'tcp';
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw new EngineError('invalid', `invalid protocol: ${protocol}: want tcp or udp`);
  const answer = await call.engine.containers.trace(call.param('id'), { ...readTarget(to), protocol });
  call.json(traceToWire(answer));
}

async function captureContainer(call: Call): Promise<void> {
  const { query } = call;
  const packets = call.engine.containers.capture(call.param('id'), {
    ...captureOptions(call),
    interfaceName: query.optional('interface'),
    network: query.optional('network'),
  });
  await sendCapture(call, packets);
}

async function captureNetwork(call: Call): Promise<void> {
  await sendCapture(call, call.engine.networks.capture(call.param('id'), captureOptions(call)));
}

function captureOptions({ query }: Call): {
  host?: string;
  port?: number;
  count?: number;
  keptBytes?: number;
} {
  const port = query.integer('port');
  if (port !== undefined && !isPort(port)) throw new EngineError('invalid', `invalid port: ${port}`);
  const host = query.optional('host');
  if (host !== undefined && isIP(host) === 0)
    throw new EngineError('invalid', `invalid host: ${host}: want an address`);
  return {
    host,
    port,
    count: positive('count', query.integer('count'), 2 ** 31),
    keptBytes: positive('snap-length', query.integer('snap-length'), 2 ** 18),
  };
}

async function sendCapture({ response, signal }: Call, packets: Readable): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/vnd.tcpdump.pcap' });
  try {
    await pipeline(packets, response);
  } catch (error) {
    // The client has seen enough.
    if (!signal.aborted) throw error;
  }
}

function positive(name: string, value: number | undefined, most: number): number | undefined {
  if (value !== undefined && (value < 1 || value > most))
    throw new EngineError('invalid', `invalid ${name}: ${value}`);
  return value;
}

async function listSchedules(call: Call): Promise<void> {
  call.json(call.engine.schedules.list().map(scheduleSummaryToWire));
}

async function listRuns(call: Call): Promise<void> {
  const limit = call.query.integer('limit');
  if (limit !== undefined && limit < 0) throw new EngineError('invalid', `invalid limit: ${limit}`);
  call.json(call.engine.schedules.history(call.param('id'), limit || undefined).map(scheduledRunToWire));
}

async function runNow(call: Call): Promise<void> {
  await call.engine.schedules.run(call.param('id'));
  call.empty(204);
}

async function pauseSchedule(call: Call): Promise<void> {
  call.engine.schedules.pause(call.param('id'));
  call.empty(204);
}

async function resumeSchedule(call: Call): Promise<void> {
  call.engine.schedules.resume(call.param('id'));
  call.empty(204);
}

/** `OTHER[:PORT]` */
function readReach(text: string | undefined): { container: string; port?: number } | undefined {
  if (text === undefined) return undefined;
  const [container = '', port] = text.split(':', 2);
  if (container === '' || (port !== undefined && !isPort(Number(port)))) {
    throw new EngineError('invalid', `invalid container and port: ${text}`);
  }
  return { container, port: port === undefined ? undefined : Number(port) };
}

/** `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address. */
function readTarget(text: string): { host: string; port?: number } {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+)(?::(\d+))?$/.exec(text);
  if (match === null && isIP(text) === 6) return { host: text };
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match === null || (port !== undefined && !isPort(port)))
    throw new EngineError('invalid', `invalid destination: ${text}: want NAME[:PORT] or ADDRESS[:PORT]`);
  return { host: match[1]!, port };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}
