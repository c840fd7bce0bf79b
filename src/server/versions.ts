import { compareVersions, newestApiVersion, oldestApiVersion } from '../api/paths.ts';
import { EngineError } from '../stdx/errors.ts';

/** Gantry's own version, as `/version` and the Server header tell it. */
export const gantryVersion = '0.1.0';

/**
 * The API version a path asks for, and the path without it. Without a version the newest is meant.
 * @throws EngineError `invalid` in dockerd's words for versions outside of what is spoken
 */
export function negotiate(path: string): { version: string; path: string } {
  const match = /^\/v([0-9.]+)(\/.*)$/.exec(path);
  if (match === null) return { version: newestApiVersion, path };
  const [, version = '', rest = ''] = match;
  if (compareVersions(version, oldestApiVersion) < 0) {
    throw new EngineError(
      'invalid',
      `client version ${version} is too old. Minimum supported API version is ${oldestApiVersion}, please upgrade your client to a newer version`,
    );
  }
  if (compareVersions(version, newestApiVersion) > 0) {
    throw new EngineError(
      'invalid',
      `client version ${version} is too new. Maximum supported API version is ${newestApiVersion}`,
    );
  }
  return { version, path: rest };
}
