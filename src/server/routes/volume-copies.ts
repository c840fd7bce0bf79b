import type { VolumeSnapshot as WireSnapshot } from '../../api/volumes.ts';
import type { VolumeSnapshot } from '../../storage/volume-snapshots.ts';
import type { Call, Route } from '../call.ts';
import { volumeClone } from '../convert/shapes.ts';
import { goTime } from '../convert/time.ts';
import { volumeToWire } from '../convert/volume.ts';
import { sendTar } from '../tar-answer.ts';

/** What Docker does not do with volumes. */
export const volumeCopyRoutes: readonly Route[] = [
  { method: 'POST', path: '/gantry/volumes/{name}/rename', handler: rename },
  { method: 'POST', path: '/gantry/volumes/{name}/clone', handler: clone },
  { method: 'GET', path: '/gantry/volumes/{name}/export', handler: exportVolume },
  { method: 'POST', path: '/gantry/volumes/{name}/import', handler: importVolume },
  { method: 'GET', path: '/gantry/volumes/{name}/snapshots', handler: list },
  { method: 'POST', path: '/gantry/volumes/{name}/snapshots', handler: snapshot },
  { method: 'DELETE', path: '/gantry/volumes/{name}/snapshots/{snapshot}', handler: removeSnapshot },
  { method: 'POST', path: '/gantry/volumes/{name}/snapshots/{snapshot}/restore', handler: restore },
];

async function rename(call: Call): Promise<void> {
  await call.engine.volumeCopies.rename(call.param('name'), call.query.text('name'));
  call.empty(204);
}

async function clone(call: Call): Promise<void> {
  const body = await call.body(volumeClone, 'VolumeClone');
  const to = { name: body.Name || undefined, labels: body.Labels, options: body.DriverOpts };
  const volume = await call.engine.volumeCopies.clone(call.param('name'), to, { pause: pauses(call) });
  call.json(volumeToWire(volume), 201);
}

async function exportVolume(call: Call): Promise<void> {
  await sendTar(call, await call.engine.volumeCopies.export(call.param('name')));
}

async function importVolume(call: Call): Promise<void> {
  const volume = await call.engine.volumeCopies.import(call.param('name'), call.request, call.signal);
  call.json(volumeToWire(volume), 201);
}

function list(call: Call): void {
  call.json(call.engine.volumeCopies.snapshots(call.param('name')).map(toWire));
}

async function snapshot(call: Call): Promise<void> {
  const name = call.query.text('name') || new Date().toISOString().replace(/[:.]/g, '-');
  const made = await call.engine.volumeCopies.snapshot(call.param('name'), name, { pause: pauses(call) });
  call.json(toWire(made), 201);
}

async function removeSnapshot(call: Call): Promise<void> {
  await call.engine.volumeCopies.removeSnapshot(call.param('name'), call.param('snapshot'));
  call.empty(204);
}

async function restore(call: Call): Promise<void> {
  await call.engine.volumeCopies.restore(call.param('name'), call.param('snapshot'));
  call.empty(204);
}

/** As at commit: they are paused unless it is forbidden. */
function pauses(call: Call): boolean {
  return call.query.optional('pause') === undefined || call.query.flag('pause');
}

function toWire({ name, createdMs }: VolumeSnapshot): WireSnapshot {
  return { Name: name, CreatedAt: goTime(createdMs) };
}
