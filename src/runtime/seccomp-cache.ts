import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeSeccomp, RuntimeSpec } from '../oci/runtime-spec.ts';
import { errnoOf } from '../stdx/errors.ts';

/**
 * Compiled seccomp profiles. Compiling Docker's default one takes crun 13 ms of the 22 that creating a container
 * takes (libseccomp; the cache of crun 1.8 never hits). crun leaves what it compiled in its state directory, and takes
 * a compiled filter in an annotation instead of a profile (crun(1), run.oci.seccomp_bpf_data), so each profile is
 * compiled once in a daemon's life.
 */
export class SeccompCache {
  /** Digest of the profile -> compiled filter, base64. */
  readonly #compiled = new Map<string, string>();

  /**
   * The spec with the compiled filter in place of its profile, or the spec itself if it has none or the filter is not
   * known yet: `learn` it then, once the container is created.
   */
  apply(spec: RuntimeSpec): RuntimeSpec {
    const { seccomp, ...linux } = spec.linux;
    const filter = seccomp === undefined ? undefined : this.#compiled.get(keyOf(seccomp));
    if (filter === undefined) return spec;
    return { ...spec, linux, annotations: { ...spec.annotations, [ANNOTATION]: filter } };
  }

  /** @param stateDirectory crun's, of a container just created with the spec. */
  learn(spec: RuntimeSpec, stateDirectory: string): void {
    const { seccomp } = spec.linux;
    if (seccomp === undefined || notifies(seccomp)) return;
    const key = keyOf(seccomp);
    if (this.#compiled.has(key) || this.#compiled.size === MAX_PROFILES) return;
    try {
      const filter = readFileSync(join(stateDirectory, 'seccomp.bpf'));
      if (filter.length > 0) this.#compiled.set(key, filter.toString('base64'));
    } catch (error) {
      // Another version of crun may keep it elsewhere; then every container compiles its own.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

const ANNOTATION = 'run.oci.seccomp_bpf_data';
/** Each set of capabilities makes another profile; some KB each. */
const MAX_PROFILES = 200;

function keyOf(seccomp: RuntimeSeccomp): string {
  return createHash('sha256').update(JSON.stringify(seccomp)).digest('base64');
}

/** A profile that asks a listener needs more of crun than its filter. */
function notifies(seccomp: RuntimeSeccomp): boolean {
  const NOTIFY = 'SCMP_ACT_NOTIFY';
  return seccomp.defaultAction === NOTIFY || (seccomp.syscalls ?? []).some(({ action }) => action === NOTIFY);
}
