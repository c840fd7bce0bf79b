import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { Mount } from '../api/containers.ts';
import { encodeEnd, encodeHeader, encodePadding } from '../archive/tar-writer.ts';
import { EngineError } from '../stdx/errors.ts';
import type { FileMount, FileObject, Project } from './project.ts';

interface GivenFile {
  mount: FileMount;
  object: FileObject;
  target: string;
}

/** Configs and secrets that are files of this machine, as they are: bound into the container, read-only. */
export function fileMounts(project: Project, service: string): Mount[] {
  return givenFiles(project, service)
    .filter(isBound)
    .map(({ object, target }) => ({ Type: 'bind', Source: object.file!, Target: target, ReadOnly: true }));
}

/**
 * Configs and secrets that are written into the container once it is made: what stands in the project's file or in a
 * variable, and files that want an owner or a mode of their own.
 * @returns archives to be unpacked at the root
 * @throws EngineError invalid for a variable that is not set
 */
export function fileArchives(
  project: Project,
  service: string,
  environment: ReadonlyMap<string, string>,
): { path: string; archive: Buffer }[] {
  return givenFiles(project, service)
    .filter(file => !isBound(file))
    .map(({ mount, object, target }) => ({
      path: '/',
      archive: archiveOf(target, contentOf(object, environment), mount),
    }));
}

function givenFiles(project: Project, serviceName: string): GivenFile[] {
  const service = project.services[serviceName]!;
  const of = (kind: 'config' | 'secret', mounts: readonly FileMount[] = []) =>
    mounts.map(mount => {
      const object = (kind === 'config' ? project.configs : project.secrets)?.[mount.source];
      if (object === undefined || object.external)
        throw new EngineError(
          'notImplemented',
          `unsupported external ${kind} ${object?.name ?? mount.source}`,
        );
      for (const key of ['driver', 'template_driver'] as const)
        if (object[key] !== undefined)
          throw new EngineError('notImplemented', `${kind}s.${mount.source}.${key} is not supported`);
      const usual = kind === 'config' ? `/${mount.source}` : `/run/secrets/${mount.source}`;
      const target = mount.target ?? usual;
      return { mount, object, target: target.startsWith('/') ? target : posix.join('/run/secrets', target) };
    });
  return [...of('config', service.configs), ...of('secret', service.secrets)];
}

function isBound({ object, mount }: GivenFile): boolean {
  return (
    object.file !== undefined &&
    mount.uid === undefined &&
    mount.gid === undefined &&
    mount.mode === undefined
  );
}

function contentOf(
  { name, file, content, environment: variable }: FileObject,
  environment: ReadonlyMap<string, string>,
): Buffer {
  if (content !== undefined) return Buffer.from(content);
  if (file !== undefined) return readFileSync(file);
  const value = environment.get(variable ?? '');
  if (value === undefined)
    throw new EngineError(
      'invalid',
      `environment variable ${JSON.stringify(variable)} required by file ${JSON.stringify(name)} is not set`,
    );
  return Buffer.from(value);
}

function archiveOf(target: string, content: Buffer, { uid, gid, mode }: FileMount): Buffer {
  const header = encodeHeader({
    name: target.slice(1),
    type: 'file',
    size: content.length,
    mode: mode === undefined ? 0o444 : Number.parseInt(mode, 8),
    uid: Number(uid ?? 0),
    gid: Number(gid ?? 0),
    mtimeNs: BigInt(Date.now()) * 1_000_000n,
  });
  return Buffer.concat([header, content, encodePadding(content.length), encodeEnd()]);
}
