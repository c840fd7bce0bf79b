import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { diskUsageToWire } from '../convert/disk-usage.ts';
import { eventToWire } from '../convert/event.ts';
import { infoToWire, versionToWire } from '../convert/info.ts';
import { eventFilter } from '../event-filters.ts';
import { timestampNs } from './streams.ts';

/** The daemon as a whole. */
export const systemRoutes: readonly Route[] = [
  { method: 'GET', path: '/_ping', handler: ping },
  { method: 'HEAD', path: '/_ping', handler: ping },
  { method: 'GET', path: '/version', handler: version },
  { method: 'GET', path: '/info', handler: info },
  { method: 'GET', path: '/events', handler: events },
  { method: 'GET', path: '/system/df', handler: diskUsage },
];

/** Must not be cached: clients learn from it whether the daemon is there and what it speaks. */
function ping(call: Call): void {
  const { response, request } = call;
  response.writeHead(200, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    // 2: BuildKit.
    'Builder-Version': '2',
    Swarm: 'inactive',
    'Content-Length': request.method === 'HEAD' ? 0 : 2,
  });
  response.end(request.method === 'HEAD' ? undefined : 'OK');
}

async function version(call: Call): Promise<void> {
  call.json(versionToWire(await call.engine.system.info()));
}

async function info(call: Call): Promise<void> {
  call.json(infoToWire(await call.engine.system.info(), call.version, Date.now()));
}

/** Ends when `until` is reached or the client goes. A client too slow to read is cut off, events wait for nobody. */
async function events(call: Call): Promise<void> {
  const { engine, query, response, signal } = call;
  const sinceNs = timestampNs(query.text('since'));
  const untilNs = timestampNs(query.text('until'));
  if (sinceNs !== undefined && untilNs !== undefined && sinceNs > untilNs) {
    throw new EngineError(
      'invalid',
      `\`since\` time (${query.text('since')}) cannot be after \`until\` time (${query.text('until')})`,
    );
  }
  const matches = eventFilter(call);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  const send = (event: Parameters<typeof matches>[0]) => {
    if (untilNs !== undefined && event.timeNs > untilNs) return;
    if (!matches(event)) return;
    response.write(`${eventToWire(event)}\n`);
    if (response.writableLength > unreadLimitBytes) response.destroy();
  };
  const unsubscribe = engine.events.subscribe(send);
  if (sinceNs !== undefined || untilNs !== undefined) engine.events.recent(sinceNs ?? 0n).forEach(send);
  await untilReached(untilNs, signal);
  unsubscribe();
  response.end();
}

const unreadLimitBytes = 16 * 1024 * 1024;

/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

function untilReached(untilNs: bigint | undefined, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
    const leftMs = untilNs === undefined ? undefined : Number(untilNs / 1_000_000n) - Date.now();
    const timer =
      leftMs === undefined ? undefined : setTimeout(resolve, Math.max(0, Math.min(leftMs, longestTimerMs)));
  });
}

const usageTypes = ['container', 'image', 'volume', 'build-cache'];

async function diskUsage(call: Call): Promise<void> {
  const types = call.query.all('type');
  for (const type of types) {
    if (!usageTypes.includes(type)) throw new EngineError('invalid', `unknown object type: ${type}`);
  }
  const usage = await call.engine.system.diskUsage();
  call.json(
    diskUsageToWire(call.engine, usage, {
      version: call.version,
      types: types.length > 0 ? types : usageTypes,
    }),
  );
}
