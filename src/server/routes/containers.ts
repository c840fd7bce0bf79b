import type { ContainerSummary } from '../../api/containers.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { selectContainers } from '../container-filters.ts';
import { inspectToWire } from '../convert/container-inspect.ts';
import { summaryContext, summaryToWire } from '../convert/container-summary.ts';
import { configFromWire, createRequestFromWire } from '../convert/create-request.ts';
import { orNull, updateFromWire } from '../convert/host-config.ts';
import { containerConfig, createRequest, updateRequest } from '../convert/shapes.ts';
import { Filters } from '../filters.ts';

/** What a container is: made, listed, looked into, changed. Running it is in lifecycle.ts. */
export const containerRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/create', handler: create },
  { method: 'GET', path: '/containers/json', handler: list },
  { method: 'GET', path: '/containers/{id}/json', handler: inspect },
  { method: 'GET', path: '/containers/{id}/top', handler: top },
  { method: 'GET', path: '/containers/{id}/changes', handler: changes },
  { method: 'POST', path: '/containers/{id}/rename', handler: rename },
  { method: 'POST', path: '/containers/{id}/update', handler: update },
  { method: 'DELETE', path: '/containers/{id}', handler: remove },
  { method: 'POST', path: '/containers/prune', handler: prune },
  { method: 'POST', path: '/commit', handler: commit },
];

async function create(call: Call): Promise<void> {
  const body = await call.body(createRequest, 'ContainerConfigWrapper', { required: true });
  const endpoints = Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (endpoints.length > 1 && !call.atLeast('1.44')) {
    throw new EngineError(
      'invalid',
      `Container cannot be connected to network endpoints: ${endpoints.sort().join(', ')}`,
    );
  }
  const { id, warnings } = await call.engine.containers.create(
    createRequestFromWire(body, {
      name: call.query.optional('name'),
      platform: call.query.optional('platform'),
    }),
  );
  call.json({ Id: id, Warnings: warnings }, 201);
}

async function list(call: Call): Promise<void> {
  const context = summaryContext(call.engine, call.version);
  const withSize = call.query.flag('size');
  const summaries = selectContainers(call).map(async (record): Promise<ContainerSummary | undefined> => {
    const summary = summaryToWire(context, record);
    if (!withSize) return summary;
    const size = await call.engine.containers.size(record.id);
    if (size === undefined) return undefined;
    const { rwBytes, rootBytes } = size;
    // Go leaves out what is zero.
    return { ...summary, ...(rwBytes === 0 ? {} : { SizeRw: rwBytes }), SizeRootFs: rootBytes };
  });
  call.json((await Promise.all(summaries)).filter(summary => summary !== undefined));
}

async function inspect(call: Call): Promise<void> {
  const inspection = await call.engine.containers.inspect(call.param('id'), {
    size: call.query.flag('size'),
  });
  call.json(inspectToWire(inspection, call.version));
}

async function top(call: Call): Promise<void> {
  const psArguments = (call.query.text('ps_args') || '-ef').split(/\s+/).filter(word => word !== '');
  const { titles, processes } = await call.engine.containers.top(call.param('id'), psArguments);
  call.json({ Processes: processes, Titles: titles });
}

const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

async function changes(call: Call): Promise<void> {
  const found = await call.engine.containers.changes(call.param('id'));
  // null when there are none, as Go writes a list nobody made.
  call.json(orNull(found.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] }))));
}

async function rename(call: Call): Promise<void> {
  const name = call.query.text('name');
  if (name === '' || name === '/') {
    throw new EngineError('invalid', 'Neither old nor new names may be empty');
  }
  await call.engine.containers.rename(call.param('id'), name.replace(/^\//, ''));
  call.empty(204);
}

async function update(call: Call): Promise<void> {
  const body = await call.body(updateRequest, 'UpdateConfig', { required: true });
  const { warnings } = await call.engine.containers.update(call.param('id'), updateFromWire(body));
  call.json({ Warnings: orNull(warnings) });
}

async function remove(call: Call): Promise<void> {
  const { query } = call;
  await call.engine.containers.remove(call.param('id'), {
    force: query.flag('force'),
    volumes: query.flag('v'),
    link: query.flag('link'),
  });
  call.empty(204);
}

async function prune(call: Call): Promise<void> {
  const filters = Filters.read(call.query, ['label', 'label!', 'until']);
  const untilMs = filters.untilMs();
  const { deleted, reclaimedBytes } = await call.engine.containers.prune(
    record =>
      filters.prunableLabels(record.config.labels) && (untilMs === undefined || record.createdAtMs < untilMs),
  );
  call.json({ ContainersDeleted: orNull(deleted), SpaceReclaimed: reclaimedBytes });
}

async function commit(call: Call): Promise<void> {
  const { query } = call;
  const config = await call.body(containerConfig, 'Config');
  const { imageId } = await call.engine.containers.commit(query.text('container'), {
    repository: query.optional('repo'),
    tag: query.optional('tag'),
    comment: query.optional('comment'),
    author: query.optional('author'),
    pause: query.flag('pause', true),
    changes: query.all('changes'),
    config: Object.keys(config).length > 0 ? configFromWire(config) : undefined,
  });
  call.json({ Id: imageId }, 201);
}
