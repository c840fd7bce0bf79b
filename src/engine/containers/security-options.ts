import { parseSeccompProfile, type SeccompProfile } from '../../runtime/seccomp.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineSettings } from '../context.ts';

export interface SecurityOptions {
  seccomp: 'default' | 'unconfined' | SeccompProfile;
  noNewPrivileges: boolean;
  /** undefined: as `--privileged` says. */
  writableCgroups?: boolean;
  apparmorProfile?: string;
}

export type SecurityDefaults = Pick<EngineSettings, 'seccomp' | 'noNewPrivileges'>;

/** What a caller has said, word by word. */
interface AskedSecurity {
  seccomp?: string;
  noNewPrivileges?: boolean;
  writableCgroups?: boolean;
  apparmor?: string;
}

/**
 * `--security-opt` values: `seccomp=unconfined`, `seccomp=<profile JSON>` (clients send the file's content),
 * `no-new-privileges[=true]`, `writable-cgroups[=true]`, `apparmor=<profile>`, `label=...`. The last of a kind counts.
 * @param defaults of the daemon
 * @throws invalid for unknown ones, and for a profile that is none
 */
export function parseSecurityOptions(
  options: readonly string[],
  defaults: SecurityDefaults,
): SecurityOptions {
  const { seccomp, noNewPrivileges, writableCgroups, apparmor } = readSecurityOptions(options);
  return {
    seccomp: seccomp ? parseSeccomp(seccomp) : defaults.seccomp.profile,
    noNewPrivileges: noNewPrivileges ?? defaults.noNewPrivileges,
    writableCgroups,
    apparmorProfile: apparmor === 'unconfined' ? undefined : apparmor,
  };
}

/**
 * What can be told without the content of a seccomp profile, which Docker looks into at the start only.
 * @throws invalid, in Docker's words
 */
export function readSecurityOptions(options: readonly string[]): AskedSecurity {
  const asked: AskedSecurity = {};
  for (const option of options) {
    const [name, value] = splitOption(option);
    switch (name) {
      case 'no-new-privileges':
        asked.noNewPrivileges = parseBoolean(value, option);
        break;
      case 'writable-cgroups':
        asked.writableCgroups = parseBoolean(value, option);
        break;
      case 'seccomp':
        asked.seccomp = value;
        break;
      case 'apparmor':
        asked.apparmor = value;
        break;
      case 'label':
        // Labels count where the daemon runs with SELinux, which gantryd refuses to be told (--selinux-enabled): Docker,
        // too, leaves them without effect elsewhere.
        break;
      default:
        throw new EngineError('invalid', `invalid --security-opt 2: "${option}"`);
    }
  }
  return asked;
}

/** `name=value`, or as it was once written `name:value`; some need none. */
function splitOption(option: string): [name: string, value: string] {
  if (option === 'no-new-privileges' || option === 'writable-cgroups') return [option, 'true'];
  if (option === 'disable') return ['label', option];
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  if (at === -1) throw new EngineError('invalid', `invalid --security-opt 1: "${option}"`);
  return [option.slice(0, at), option.slice(at + 1)];
}

/** The words Go's strconv.ParseBool knows. */
function parseBoolean(value: string, option: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw new EngineError('invalid', `invalid --security-opt 2: "${option}"`);
}

function parseSeccomp(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === 'builtin') return 'default';
  return parseSeccompProfile(value);
}
