import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import type { CgroupLayout } from '../linux/cgroups.ts';
import { capabilitiesOf } from './capabilities.ts';
import { type KernelLimits, readKernelLimits } from './kernel-limits.ts';
import { parseKernel } from './seccomp.ts';

/** What a plan depends on and only the host knows. Read once at start. */
export interface HostFacts {
  /** Go's name: `amd64`, `arm64`. */
  architecture: string;
  kernel: { major: number; minor: number };
  /** Capabilities the engine can give away. */
  capabilities: string[];
  cgroupVersion: 1 | 2;
  limits: KernelLimits;
  apparmor: boolean;
  /** /sys/devices/system/cpu/cpu<N>/thermal_throttle: masked in containers, as Docker does since GHSA-6fw5-f8r9-fgfm. */
  throttlePaths: string[];
}

export function readHostFacts(cgroups: CgroupLayout): HostFacts {
  const status = readFileSync('/proc/thread-self/status', 'latin1');
  return {
    architecture: goArchitecture(),
    kernel: parseKernel(),
    capabilities: capabilitiesOf(/^CapBnd:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? '0'),
    cgroupVersion: cgroups.version,
    limits: readKernelLimits(cgroups),
    apparmor: existsSync('/sys/kernel/security/apparmor'),
    throttlePaths: throttlePaths(),
  };
}

function goArchitecture(): string {
  const names: Record<string, string> = { x64: 'amd64', ia32: '386' };
  return names[arch()] ?? arch();
}

function throttlePaths(): string[] {
  const root = '/sys/devices/system/cpu';
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter(name => /^cpu\d+$/.test(name))
    .map(name => `${root}/${name}/thermal_throttle`)
    .filter(path => existsSync(path));
}
