import type { Network } from '../../network/network.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { endpointFromWire } from '../convert/create-request.ts';
import { egressToWire } from '../convert/egress.ts';
import { orNull } from '../convert/host-config.ts';
import { networkRequestFromWire, networkToWire } from '../convert/network.ts';
import { networkConnect, networkCreate, networkDisconnect, networkEgress } from '../convert/shapes.ts';
import { Filters } from '../filters.ts';

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', handler: list },
  { method: 'GET', path: '/networks/', handler: list },
  { method: 'POST', path: '/networks/create', handler: create },
  { method: 'POST', path: '/networks/prune', handler: prune },
  { method: 'GET', path: '/networks/{id}', handler: inspect },
  { method: 'DELETE', path: '/networks/{id}', handler: remove },
  { method: 'GET', path: '/gantry/networks/{id}/egress', handler: egress },
  { method: 'POST', path: '/gantry/networks/{id}/egress', handler: changeEgress },
  { method: 'POST', path: '/networks/{id}/connect', handler: connect },
  { method: 'POST', path: '/networks/{id}/disconnect', handler: disconnect },
];

function list(call: Call): void {
  const filters = Filters.read(call.query, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
  const dangling = filters.flag('dangling');
  for (const type of filters.values('type')) {
    if (type !== 'custom' && type !== 'builtin') {
      throw new EngineError('invalid', `invalid filter: 'type'='${type}'`);
    }
  }
  const controller = call.engine.networkController;
  const isDangling = (network: Network) =>
    !network.predefined && controller.endpointsOf(network).length === 0;
  const shown = controller
    .list()
    .filter(
      network =>
        filters.exact('driver', network.driver) &&
        filters.match('id', network.id) &&
        filters.match('name', network.name) &&
        filters.labels('label', network.labels) &&
        filters.exact('scope', 'local') &&
        filters.exact('type', network.predefined ? 'builtin' : 'custom') &&
        (dangling === undefined || isDangling(network) === dangling),
    );
  call.json(shown.map(network => networkToWire(network, undefined, call.version)));
}

function inspect(call: Call): void {
  const controller = call.engine.networkController;
  const network = controller.get(call.param('id'));
  const scope = call.query.text('scope');
  if (scope !== '' && scope !== 'local') {
    throw new EngineError('notFound', `network ${call.param('id')} not found`);
  }
  call.json(networkToWire(network, controller.endpointsOf(network), call.version));
}

function egress(call: Call): void {
  call.json(egressToWire(call.engine.networks.egress(call.param('id')), call.engine));
}

async function changeEgress(call: Call): Promise<void> {
  const body = await call.body(networkEgress, 'NetworkEgressRequest', { required: true });
  const [allow, remove] = [body.Allow ?? [], body.Remove ?? []];
  if (body.Unlimited === true && allow.length + remove.length > 0)
    throw new EngineError('invalid', 'a network without a list has no entries');
  const change = body.Unlimited === true ? 'unlimited' : { allow, remove };
  call.json(egressToWire(await call.engine.networks.changeEgress(call.param('id'), change), call.engine));
}

async function create(call: Call): Promise<void> {
  const body = await call.body(networkCreate, 'CreateRequest', { required: true });
  const { network, warning } = await call.engine.networks.create(networkRequestFromWire(body));
  call.json({ Id: network.id, Warning: warning }, 201);
}

async function remove(call: Call): Promise<void> {
  await call.engine.networks.remove(call.param('id'));
  call.empty(204);
}

async function connect(call: Call): Promise<void> {
  const body = await call.body(networkConnect, 'ConnectOptions', { required: true });
  const endpoint = endpointFromWire(body.EndpointConfig ?? {});
  await call.engine.networks.connect(call.param('id'), body.Container ?? '', endpoint);
  call.empty(200);
}

async function disconnect(call: Call): Promise<void> {
  const body = await call.body(networkDisconnect, 'DisconnectOptions', { required: true });
  await call.engine.networks.disconnect(call.param('id'), body.Container ?? '', {
    force: body.Force ?? false,
  });
  call.empty(200);
}

async function prune(call: Call): Promise<void> {
  const filters = Filters.read(call.query, ['label', 'label!', 'until']);
  const untilMs = filters.untilMs();
  const { deleted } = await call.engine.networks.prune(
    network =>
      filters.prunableLabels(network.labels) && (untilMs === undefined || network.createdAtMs < untilMs),
  );
  call.json({ NetworksDeleted: orNull(deleted) });
}
