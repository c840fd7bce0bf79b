import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { secretToWire } from '../convert/secret.ts';
import { secretSpec } from '../convert/shapes.ts';
import { Filters } from '../filters.ts';

/** Docker has these paths for a swarm; here there is none, and they need none. */
export const secretRoutes: readonly Route[] = [
  { method: 'GET', path: '/secrets', handler: list },
  { method: 'POST', path: '/secrets/create', handler: create },
  { method: 'GET', path: '/secrets/{id}', handler: inspect },
  { method: 'DELETE', path: '/secrets/{id}', handler: remove },
  { method: 'POST', path: '/secrets/{id}/update', handler: update },
];

function list(call: Call): void {
  const filters = Filters.read(call.query, ['id', 'label', 'name', 'names']);
  const shown = call.engine.secrets
    .list()
    .filter(
      ({ id, name, labels }) =>
        filters.prefix('id', id) &&
        filters.prefix('name', name) &&
        filters.exact('names', name) &&
        filters.labels('label', labels),
    );
  call.json(shown.map(secretToWire));
}

async function create(call: Call): Promise<void> {
  const spec = await call.body(secretSpec, 'SecretSpec');
  for (const field of ['Driver', 'Templating'] as const) {
    const name = spec[field]?.Name;
    if (name) throw new EngineError('notImplemented', `SecretSpec.${field} is not supported: ${name}`);
  }
  const { id } = call.engine.secrets.create({
    name: spec.Name ?? '',
    value: spec.Data ?? Buffer.alloc(0),
    labels: spec.Labels,
  });
  call.json({ ID: id }, 201);
}

function inspect(call: Call): void {
  call.json(secretToWire(call.engine.secrets.get(call.param('id'))));
}

function remove(call: Call): void {
  call.engine.secrets.remove(call.param('id'));
  call.empty(204);
}

async function update(call: Call): Promise<void> {
  const version = call.query.text('version');
  if (!/^\d+$/.test(version)) throw new EngineError('invalid', 'invalid secret version');
  const spec = await call.body(secretSpec, 'SecretSpec');
  const { id, name } = call.engine.secrets.get(call.param('id'));
  if (spec.Name !== name || spec.Data !== undefined) {
    throw new EngineError('invalid', 'only updates to Labels are allowed');
  }
  call.engine.secrets.update(id, { version: Number(version), labels: spec.Labels ?? {} });
  call.empty(200);
}
