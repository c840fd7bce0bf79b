import { existsSync } from 'node:fs';
import { EngineError } from '../../stdx/errors.ts';
import type { Service } from '../project.ts';
import { readInto } from './environment.ts';

/**
 * What a service's env files say, under what it says itself. Their values may use the project's variables and the
 * service's own.
 * @param warn is told of variables in them that are not set
 * @throws EngineError notFound for a file that is not there and required
 */
export function withEnvFiles(
  service: Service,
  environment: ReadonlyMap<string, string>,
  warn: (message: string) => void,
): Service {
  const { env_file, ...complete } = service;
  if (env_file !== undefined) {
    const own = service.environment ?? {};
    const variables = new Map<string, string>();
    for (const [name, value] of Object.entries(own)) if (value !== null) variables.set(name, value);
    for (const { path, required, format } of env_file) {
      if (!existsSync(path)) {
        if (required) throw new EngineError('notFound', `env file ${path} not found`);
        continue;
      }
      if (format !== undefined && format !== 'raw')
        throw new EngineError(
          'invalid',
          `env file ${path}: unsupported format ${JSON.stringify(format)}, want raw`,
        );
      const lookup = (name: string) => environment.get(name) ?? own[name] ?? undefined;
      readInto(path, variables, lookup, { format, warn });
    }
    const stated = Object.entries(own).filter(([name, value]) => value !== null || !variables.has(name));
    complete.environment = { ...Object.fromEntries(variables), ...Object.fromEntries(stated) };
  }
  return complete;
}

/**
 * What a service's label files say, under what it says itself.
 * @param keeps whether the files stay named, as docker compose has it where containers are made
 * @throws EngineError notFound for a file that is not there
 */
export function withLabelFiles(service: Service, keeps: boolean): Service {
  const { label_file, ...complete } = service;
  if (label_file === undefined) return service;
  const labels = new Map<string, string>();
  for (const path of label_file) {
    if (!existsSync(path)) throw new EngineError('notFound', `label file ${path} not found`);
    readInto(path, labels, () => undefined);
  }
  const all = { ...Object.fromEntries(labels), ...service.labels };
  return { ...(keeps ? service : complete), labels: all };
}
