import { EngineError } from '../../stdx/errors.ts';
import type { Handler, Route } from '../call.ts';

/** Swarm and plugins: what Docker answers on a machine that has neither. Secrets need no swarm here (secrets.ts). */
export const swarmRoutes: readonly Route[] = [
  { method: 'GET', path: '/plugins', handler: call => call.json([]) },
  { method: 'POST', path: '/plugins/{rest...}', handler: notSupported('plugins') },
  { method: 'GET', path: '/plugins/{rest...}', handler: noSuchPlugin },
  { method: 'DELETE', path: '/plugins/{rest...}', handler: noSuchPlugin },
  { method: 'GET', path: '/swarm', handler: notManager },
  { method: 'GET', path: '/swarm/unlockkey', handler: notManager },
  { method: 'POST', path: '/swarm/init', handler: notSupported('swarm mode') },
  { method: 'POST', path: '/swarm/join', handler: notSupported('swarm mode') },
  { method: 'POST', path: '/swarm/leave', handler: notMember },
  { method: 'POST', path: '/swarm/update', handler: notManager },
  { method: 'POST', path: '/swarm/unlock', handler: notMember },
  ...['nodes', 'services', 'tasks', 'configs'].flatMap((resource): Route[] => [
    { method: 'GET', path: `/${resource}`, handler: notManager },
    { method: 'GET', path: `/${resource}/{rest...}`, handler: notManager },
    { method: 'POST', path: `/${resource}/{rest...}`, handler: notManager },
    { method: 'DELETE', path: `/${resource}/{rest...}`, handler: notManager },
  ]),
];

function notManager(): void {
  throw new EngineError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

function notMember(): void {
  throw new EngineError('unavailable', 'This node is not part of a swarm');
}

function noSuchPlugin(call: Parameters<Handler>[0]): void {
  throw new EngineError('notFound', `plugin "${call.param('rest').replace(/\/json$/, '')}" not found`);
}

function notSupported(what: string): Handler {
  return () => {
    throw new EngineError('notImplemented', `${what} is not supported`);
  };
}
