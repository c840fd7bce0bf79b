import { parseSeccompProfile, type SeccompProfile } from '../../runtime/seccomp.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineSettings } from '../context.ts';

export interface SecurityOptions {
  seccomp: 'default' | 'unconfined' | SeccompProfile;
  noNewPrivileges: boolean;
  /** undefined: as `--privileged` says. */
  writableCgroups?: boolean;
  apparmorProfile?: string;
  selinuxLabel?: string;
}

export type SecurityDefaults = Pick<EngineSettings, 'seccomp' | 'noNewPrivileges'>;

/**
 * `--security-opt` values: `seccomp=unconfined`, `seccomp=<profile JSON>` (clients send the file's content),
 * `no-new-privileges[:true]`, `writable-cgroups=true`, `apparmor=<profile>`, `label=...`.
 * @param defaults of the daemon
 * @throws invalid for unknown ones
 */
export function parseSecurityOptions(
  options: readonly string[],
  defaults: SecurityDefaults,
): SecurityOptions {
  const parsed: SecurityOptions = {
    seccomp: defaults.seccomp.profile,
    noNewPrivileges: defaults.noNewPrivileges,
  };
  for (const option of options) {
    const [, name = '', value] = /^([^=:]+)(?:[=:]([\s\S]*))?$/.exec(option) ?? [];
    switch (name) {
      case 'no-new-privileges':
        parsed.noNewPrivileges = parseBoolean(value, option);
        break;
      case 'writable-cgroups':
        parsed.writableCgroups = parseBoolean(value, option);
        break;
      case 'seccomp':
        if (value) parsed.seccomp = parseSeccomp(value);
        break;
      case 'apparmor':
        parsed.apparmorProfile = value === 'unconfined' ? undefined : value;
        break;
      case 'label':
        // Labels count where the daemon runs with SELinux, which gantryd refuses to be told (--selinux-enabled): Docker,
        // too, leaves them without effect elsewhere.
        break;
      default:
        throw new EngineError('invalid', `invalid --security-opt 2: "${option}"`);
    }
  }
  return parsed;
}

function parseBoolean(value: string | undefined, option: string): boolean {
  if (value === undefined || value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new EngineError('invalid', `invalid --security-opt 2: "${option}"`);
}

function parseSeccomp(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === 'builtin') return 'default';
  return parseSeccompProfile(value);
}
