import { hostname } from 'node:os';
import { requireUsableLogConfig, sinkDriverOf } from '../../runtime/logs/log-drivers.ts';
import { expandTag, extraAttributes, type LogSource } from '../../runtime/logs/log-source.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';

/** @throws EngineError `invalid` when its log driver cannot do what it is told */
export function requireUsableLogging(record: ContainerRecord): void {
  const { type, config } = record.hostConfig.logConfig;
  requireUsableLogConfig(type, config, logSourceOf(record));
}

/** Has what a container writes carried to where its log driver wants it, if that is not the captured log itself. */
export function followLog(context: EngineContext, record: ContainerRecord, running: boolean): void {
  const { type, config } = record.hostConfig.logConfig;
  if (sinkDriverOf(type) === undefined) return;
  const files = containerFiles(context, record.id);
  context.logSinks.follow({
    id: record.id,
    driver: type,
    options: config,
    source: logSourceOf(record),
    logPath: files.log,
    jsonPath: files.jsonLog,
    positionPath: files.logPosition,
    running,
  });
}

/**
 * A run has ended. The file of json-file is complete before anybody hears of it; other receivers may be slow, and are
 * not waited for.
 */
export async function endLog(context: EngineContext, record: ContainerRecord): Promise<void> {
  const delivered = context.logSinks.end(record.id);
  if (record.hostConfig.logConfig.type === 'json-file') await delivered;
}

/** What is not delivered yet gets its chance before the log is removed. */
export async function forgetLog(context: EngineContext, record: ContainerRecord): Promise<void> {
  await context.logSinks.end(record.id);
  await context.logSinks.forget(record.id);
}

/** What `logs --details` puts before each line: the attributes that json-file keeps, encoded as in a URL. */
export function logDetailsOf(record: ContainerRecord): string {
  const { type, config } = record.hostConfig.logConfig;
  if (type !== 'json-file') return '';
  const source = logSourceOf(record);
  const attributes = extraAttributes(source, config);
  if (config['tag']) attributes['tag'] = expandTag(source, config);
  return Object.keys(attributes)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .map(name => `${queryEscape(name)}=${queryEscape(attributes[name]!)}`)
    .join(',');
}

/** Go's url.QueryEscape. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function logSourceOf(record: ContainerRecord): LogSource {
  return {
    id: record.id,
    name: record.name,
    imageId: record.imageId,
    imageName: record.config.image,
    entrypoint: record.path,
    args: record.args,
    createdAtMs: record.createdAtMs,
    env: record.config.env,
    labels: record.config.labels,
    hostName: hostname(),
    daemonName: 'docker',
  };
}
