import { EngineError } from '../stdx/errors.ts';
import { ComposeFileError, scalar, sequence, toPlain } from './load/node.ts';
import { serviceMount } from './load/shapes/mounts.ts';
import { ports as portsShape } from './load/shapes/ports.ts';
import type { Reading, Shape } from './load/shapes/shape.ts';
import type { Mount, Port, Service } from './project.ts';

/** What `run` says of its container; what it does not say is as the service has it. */
export interface OneOffRequest {
  /** Empty: the service's own, but nothing when there is an entrypoint. */
  command: readonly string[];
  entrypoint?: string[] | undefined;
  tty: boolean;
  interactive: boolean;
  user?: string | undefined;
  workingDirectory?: string | undefined;
  /** Null: the variable is not there. */
  environment: Readonly<Record<string, string | null>>;
  labels: Readonly<Record<string, string>>;
  volumes: readonly Mount[];
  /** The service's ports are published as well. */
  servicePorts: boolean;
  ports: readonly Port[];
  addedCapabilities: readonly string[];
  droppedCapabilities: readonly string[];
  withDependencies: boolean;
}

/** A service as one container of it is run for one command: it is not restarted, and takes nobody's ports. */
export function oneOffService(service: Service, request: OneOffRequest): Service {
  const { container_name, restart, scale, deploy, ...rest } = service;
  const { restart_policy, replicas, ...deployed } = deploy ?? {};
  const { command, entrypoint, user, workingDirectory } = request;
  const given: Service = {
    tty: request.tty,
    stdin_open: request.interactive,
    environment: { ...service.environment, ...request.environment },
    labels: { ...service.labels, ...request.labels },
    volumes: overriddenMounts(service.volumes ?? [], request.volumes),
    ports: [...(request.servicePorts ? (service.ports ?? []) : []), ...request.ports],
    cap_add: changed(service.cap_add ?? [], request.addedCapabilities, request.droppedCapabilities),
    cap_drop: changed(service.cap_drop ?? [], request.droppedCapabilities, request.addedCapabilities),
    ...(deploy === undefined ? {} : { deploy: deployed }),
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { working_dir: workingDirectory }),
    ...(entrypoint === undefined ? {} : { entrypoint, command: [] }),
    ...(command.length === 0 ? {} : { command: [...command] }),
  };
  const unset = Object.keys(request.environment).filter(name => request.environment[name] === null);
  for (const name of unset) delete given.environment![name];
  const complete = { ...rest, ...given };
  if (!request.withDependencies) delete complete.depends_on;
  return complete;
}

/** What is mounted where the service mounts something takes its place. */
function overriddenMounts(own: readonly Mount[], given: readonly Mount[]): Mount[] {
  const targets = new Set(given.map(({ target }) => target));
  return [...own.filter(({ target }) => !targets.has(target)), ...given];
}

function changed(own: readonly string[], more: readonly string[], fewer: readonly string[]): string[] {
  return [...new Set([...own.filter(name => !fewer.includes(name)), ...more])];
}

/** `--publish`, as a service's `ports` have it. @throws EngineError invalid */
export function portsOf(written: readonly string[], reading: Reading): Port[] {
  return readItems(written, item =>
    portsShape.canonical(sequence([item], item), '', reading),
  ) as unknown as Port[];
}

/** `--volume`, as a service's `volumes` have it. @throws EngineError invalid */
export function mountsOf(written: readonly string[], reading: Reading): Mount[] {
  return readItems(written, item => serviceMount.canonical(item, '', reading)) as unknown as Mount[];
}

/** One text or several objects of each; faults are told without a place, as there is no file. */
function readItems(
  written: readonly string[],
  read: (item: ReturnType<typeof scalar>) => ReturnType<Shape['canonical']>,
) {
  const place = { file: '', line: 0, column: 0 };
  return written.flatMap(text => {
    try {
      return toPlain(read(scalar(text, { place })));
    } catch (error) {
      if (!(error instanceof ComposeFileError)) throw error;
      throw new EngineError('invalid', error.message.replace(/^:0:0: (?:\d+)?: /, ''));
    }
  });
}
