import { pathStatHeader } from '../../api/paths.ts';
import type { PathStat } from '../../engine/engine.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { goTime } from '../convert/time.ts';
import { sendTar } from '../tar-answer.ts';

/** Files in and out of containers, as tar streams: `docker cp` and `docker export`. */
export const archiveRoutes: readonly Route[] = [
  { method: 'HEAD', path: '/containers/{id}/archive', handler: stat },
  { method: 'GET', path: '/containers/{id}/archive', handler: read },
  { method: 'PUT', path: '/containers/{id}/archive', handler: write },
  { method: 'GET', path: '/containers/{id}/export', handler: exportContainer },
];

async function stat(call: Call): Promise<void> {
  const found = await call.engine.containers.statPath(call.param('id'), requirePath(call));
  call.response.writeHead(200, { [pathStatHeader]: encodeStat(found) });
  call.response.end();
}

async function read(call: Call): Promise<void> {
  const { stat: found, tar } = await call.engine.containers.readArchive(call.param('id'), requirePath(call));
  call.response.setHeader(pathStatHeader, encodeStat(found));
  await sendTar(call, tar);
}

async function write(call: Call): Promise<void> {
  const { query } = call;
  await call.engine.containers.writeArchive(call.param('id'), requirePath(call), call.request, {
    noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'),
    copyUidGid: query.flag('copyUIDGID'),
  });
  call.empty(200);
}

async function exportContainer(call: Call): Promise<void> {
  const tar = await call.engine.containers.export(call.param('id'));
  await sendTar(call, tar, 'application/octet-stream');
}

function requirePath(call: Call): string {
  const path = call.query.text('path');
  if (path === '') throw new EngineError('invalid', 'bad parameter: path cannot be empty');
  return path;
}

function encodeStat({ name, size, mode, mtimeMs, linkTarget }: PathStat): string {
  const stat = { name, size, mode, mtime: goTime(mtimeMs), linkTarget };
  return Buffer.from(JSON.stringify(stat)).toString('base64');
}
