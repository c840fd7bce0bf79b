import type { Call, Route } from '../call.ts';
import { editOutcomeToWire, editRequestFromWire } from '../convert/edit-request.ts';
import { editRequest } from '../convert/shapes.ts';

/** What Docker has not: below /gantry/, so that it is never in the way of what Docker may have one day. */
export const gantryRoutes: readonly Route[] = [
  { method: 'POST', path: '/gantry/containers/{id}/edit', handler: edit },
];

async function edit(call: Call): Promise<void> {
  const body = await call.body(editRequest, 'EditRequest', { required: true });
  const outcome = await call.engine.containers.edit(call.param('id'), editRequestFromWire(body), {
    dryRun: call.query.flag('dry-run'),
    waitHealthy: call.query.flag('wait-healthy'),
  });
  call.json(editOutcomeToWire(outcome));
}
