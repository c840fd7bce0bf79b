import { EngineError } from '../../../stdx/errors.ts';
import type { FlagValues } from '../../flags.ts';

/** What a new volume's directory is like; driver options, so that other clients can ask for it as well. */
export const shapeFlags = `
      --mode string  Permissions of the volume's directory, in octal
      --owner string  Owner of the volume's directory (format: "<uid>[:<gid>]")
      --size string  Most that may be in the volume (needs a data-root with project quotas)
`.slice(1, -1);

export function shapeOptions(flags: FlagValues): Record<string, string> {
  const [mode, owner, size] = ['mode', 'owner', 'size'].map(name => flags.string(name));
  const match = /^(\d+)(?::(\d+))?$/.exec(owner ?? '');
  if (owner && match === null)
    throw new EngineError('invalid', `invalid owner ${JSON.stringify(owner)}: numbers are wanted, UID[:GID]`);
  const [, uid, gid = uid] = match ?? [];
  return {
    ...(mode ? { mode } : {}),
    ...(uid === undefined ? {} : { uid, gid: gid ?? uid }),
    ...(size ? { size } : {}),
  };
}
