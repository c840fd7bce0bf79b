import type { WaitCondition } from '../../engine/containers/container.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';

/** Running and stopping containers, and waiting for their end. */
export const lifecycleRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/start', handler: start },
  { method: 'POST', path: '/containers/{id}/stop', handler: stop },
  { method: 'POST', path: '/containers/{id}/restart', handler: restart },
  { method: 'POST', path: '/containers/{id}/kill', handler: kill },
  { method: 'POST', path: '/containers/{id}/pause', handler: pause },
  { method: 'POST', path: '/containers/{id}/unpause', handler: unpause },
  { method: 'POST', path: '/containers/{id}/resize', handler: resize },
  { method: 'POST', path: '/containers/{id}/wait', handler: wait },
];

async function start(call: Call): Promise<void> {
  for (const parameter of ['checkpoint', 'checkpoint-dir']) {
    if (call.query.text(parameter) !== '') {
      throw new EngineError('notImplemented', `starting from a ${parameter} is not supported`);
    }
  }
  await call.engine.containers.start(call.param('id'));
  call.empty(204);
}

async function stop(call: Call): Promise<void> {
  await call.engine.containers.stop(call.param('id'), stopOptions(call));
  call.empty(204);
}

async function restart(call: Call): Promise<void> {
  await call.engine.containers.restart(call.param('id'), stopOptions(call));
  call.empty(204);
}

function stopOptions({ query }: Call): { signal?: string; timeoutS?: number } {
  return { signal: query.optional('signal'), timeoutS: query.integer('t') };
}

async function kill(call: Call): Promise<void> {
  await call.engine.containers.kill(call.param('id'), call.query.optional('signal'));
  call.empty(204);
}

async function pause(call: Call): Promise<void> {
  await call.engine.containers.pause(call.param('id'));
  call.empty(204);
}

async function unpause(call: Call): Promise<void> {
  await call.engine.containers.unpause(call.param('id'));
  call.empty(204);
}

async function resize(call: Call): Promise<void> {
  await call.engine.containers.resize(call.param('id'), terminalSize(call));
  call.empty(200);
}

/** `h` and `w` of a resize request. @throws EngineError `invalid` */
export function terminalSize({ query }: Call): { rows: number; columns: number } {
  const size = (name: string) => {
    const value = query.integer(name);
    if (value !== undefined && value >= 0 && value <= 65535) return value;
    throw new EngineError(
      'invalid',
      `invalid resize ${name === 'h' ? 'height' : 'width'} "${query.text(name)}"`,
    );
  };
  return { rows: size('h'), columns: size('w') };
}

const conditions: Record<string, WaitCondition> = {
  '': 'not-running',
  'not-running': 'not-running',
  'next-exit': 'next-exit',
  removed: 'removed',
};

/**
 * The status line goes out as soon as the wait counts, the body when it is over: `docker run` starts the container
 * only when it has seen the first, so that it cannot miss the exit (moby, postContainersWait).
 */
async function wait(call: Call): Promise<void> {
  const { engine, query, response } = call;
  const { id } = engine.containers.get(call.param('id'));
  const condition = conditions[query.text('condition')];
  if (condition === undefined) {
    throw new EngineError('invalid', `invalid condition: "${query.text('condition')}"`);
  }
  const ended = engine.containers.wait(id, condition, call.signal);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  const { exitCode } = await ended;
  const body = call.atLeast('1.42') ? { StatusCode: exitCode } : { Error: null, StatusCode: exitCode };
  response.end(`${JSON.stringify(body)}\n`);
}
