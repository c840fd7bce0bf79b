import { byteSizeOf } from '../stdx/byte-size.ts';
import { EngineError } from '../stdx/errors.ts';

/** Docker's restricted name pattern (daemon/names), and its words (volume/local). */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export function isVolumeName(name: string): boolean {
  return namePattern.test(name) && name.length <= 255;
}

/** @throws EngineError `invalid` */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalid(name, 'volume name is too short, names should be at least two alphanumeric characters');
  }
  if (!isVolumeName(name)) {
    throw invalid(
      name,
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
}

/** Which options need which others. */
const needs: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
};

/** @throws EngineError `invalid` */
export function validateLocalOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of Object.keys(options)) {
    if (ownOptions.has(option)) {
      const mounted = Object.keys(needs).find(other => options[other] !== undefined);
      if (mounted !== undefined)
        throw invalid(name, `conflicting options: ${option} is not for what ${mounted} mounts`);
    } else if (needs[option] === undefined) throw invalid(name, `invalid option: ${JSON.stringify(option)}`);
  }
  for (const option of Object.keys(options)) {
    for (const needed of needs[option] ?? []) {
      if (options[needed] === undefined)
        throw invalid(name, `missing required option: ${JSON.stringify(needed)}`);
    }
  }
}

/** Gantry's, of a volume that is a directory; Docker has `size` where the data-root is xfs. */
const ownOptions = new Set(['uid', 'gid', 'mode', 'size']);

/** What a new volume's directory is like. */
export interface VolumeShape {
  uid?: number;
  gid?: number;
  /** Permissions. */
  mode?: number;
  limitBytes?: number;
}

/** @throws EngineError `invalid` */
export function volumeShape(name: string, options: Readonly<Record<string, string>>): VolumeShape {
  const { uid, gid, mode, size } = options;
  const number = (option: string, text: string | undefined, pattern: RegExp, base: number) => {
    if (text === undefined) return undefined;
    const value = pattern.test(text) ? Number.parseInt(text, base) : Number.NaN;
    if (value <= 0xff_ff_ff_fe) return value;
    throw invalid(name, `invalid ${option}: ${JSON.stringify(text)}`);
  };
  const limitBytes = size === undefined ? undefined : byteSizeOf(size);
  if (size !== undefined && !limitBytes) throw invalid(name, `invalid size: '${size}'`);
  return {
    uid: number('uid', uid, /^\d{1,10}$/, 10),
    gid: number('gid', gid, /^\d{1,10}$/, 10),
    mode: number('mode', mode, /^[0-7]{1,4}$/, 8),
    limitBytes,
  };
}

function invalid(name: string, what: string): EngineError {
  return new EngineError('invalid', `create ${name}: ${what}`);
}
