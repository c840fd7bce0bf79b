import { EngineError } from '../stdx/errors.ts';

/** What every container may do unless told otherwise: Docker's fourteen. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** In the order of their numbers (linux/capability.h), 0 to 40. */
export const knownCapabilities: readonly string[] =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map(name => `CAP_${name}`);

export interface CapabilityRequest {
  /** With or without `CAP_`, in any case; `ALL`. */
  add: readonly string[];
  drop: readonly string[];
  privileged: boolean;
}

/**
 * What a container gets, by Docker's rules: adding ALL wins over dropping, dropping ALL leaves what is added.
 * @param available what the engine itself may pass on: the kernel's, cut by its own bounding set.
 * @throws EngineError `invalid` in Docker's words.
 */
export function planCapabilities(request: CapabilityRequest, available: readonly string[]): string[] {
  if (request.privileged) return [...available];
  const add = normalizeCapabilities(request.add, available);
  const drop = normalizeCapabilities(request.drop, available);
  if (add.includes(ALL)) return available.filter(name => !drop.includes(name));
  if (drop.includes(ALL)) return unique(add);
  return unique([...defaultCapabilities.filter(name => !drop.includes(name)), ...add]);
}

/** `net_admin` -> `CAP_NET_ADMIN`. @throws EngineError `invalid` for unknown or unavailable names. */
export function normalizeCapabilities(names: readonly string[], available: readonly string[]): string[] {
  return names.map(given => {
    const upper = given.toUpperCase();
    if (upper === ALL) return upper;
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (!knownCapabilities.includes(name)) {
      throw new EngineError('invalid', `unknown capability: ${JSON.stringify(name)}`);
    }
    if (!available.includes(name)) {
      throw new EngineError(
        'invalid',
        `capability not supported by your kernel or not available in the current environment: ${JSON.stringify(name)}`,
      );
    }
    return name;
  });
}

/** Names of the set bits of a mask as /proc/<pid>/status shows it (`CapBnd`), hexadecimal. */
export function capabilitiesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask}`);
  return knownCapabilities.filter((_, number) => (bits & (1n << BigInt(number))) !== 0n);
}

const ALL = 'ALL';

function unique(names: string[]): string[] {
  return [...new Set(names)];
}
