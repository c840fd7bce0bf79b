import { EngineError } from '../stdx/errors.ts';
import type { RuntimeInfo } from './probe.ts';
import type { SpecInput } from './spec.ts';

/**
 * runc masks a path by binding the /dev/null that it finds inside the container; versions before CVE-2025-31133 was
 * mended follow a link there, so whoever writes to what is mounted at /dev chooses what is shown instead. crun opens
 * it without following.
 * @throws EngineError `invalid` for a mount over /dev that such a runc would trust.
 */
export function requireSafeDevMount(
  { mounts, privileged }: Pick<SpecInput, 'mounts' | 'privileged'>,
  runtime: Pick<RuntimeInfo, 'implementation' | 'version'>,
): void {
  if (privileged === true || runtime.implementation !== 'runc' || opensNullSafely(runtime.version)) return;
  const mount = mounts.find(({ destination, source }) => destination === '/dev' && source !== '/dev');
  if (mount === undefined) return;
  throw new EngineError(
    'invalid',
    `a mount over /dev is not safe with runc ${runtime.version} (CVE-2025-31133): use another runtime`,
  );
}

/** Mended in 1.2.8, 1.3.3 and 1.4.0. */
function opensNullSafely(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+~-]/).map(Number);
  if (major !== 1) return major > 1;
  return minor > 3 || (minor === 3 && patch >= 3) || (minor === 2 && patch >= 8);
}
