import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';

const architectureAliases: Record<string, { architecture: string; variant?: string }> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  i386: { architecture: '386' },
};
const architectures = ['386', 'amd64', 'arm', 'arm64', 'loong64', 'mips64le', 'ppc64le', 'riscv64', 's390x'];

/**
 * `linux`, `arm64`, `linux/arm64`, `linux/arm/v7` (containerd/platforms), normalised; what is left out is
 * the machine's own.
 * @throws EngineError `invalid`
 */
export function parsePlatform(text: string, own: Platform): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || !parts.every(part => /^[a-z0-9_.-]+$/.test(part)))
    throw new EngineError('invalid', `"${text}": invalid platform: want os[/arch[/variant]]`);
  const os = parts.length === 1 && isArchitecture(parts[0]!) ? 'linux' : parts.shift()!;
  const written = parts[0] ?? own.architecture;
  const alias = architectureAliases[written] ?? { architecture: written };
  const variant = parts[1] ?? alias.variant ?? (alias.architecture === 'arm' ? 'v7' : undefined);
  // v8 is what arm64 means anyway.
  const plain = variant === undefined || (alias.architecture === 'arm64' && variant === 'v8');
  return { os, architecture: alias.architecture, ...(plain ? {} : { variant }) };
}

/**
 * `linux/amd64,linux/arm64`: each once, in the order they are asked for; none is the machine's own.
 * @throws EngineError `invalid`
 */
export function parsePlatforms(text: string, own: Platform): Platform[] {
  if (text === '') return [own];
  const platforms = text.split(',').map(one => parsePlatform(one.trim(), own));
  return [...new Map(platforms.map(platform => [formatPlatform(platform), platform])).values()];
}

function isArchitecture(text: string): boolean {
  return architectures.includes(text) || text in architectureAliases;
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

export function samePlatform(wanted: Platform, actual: Platform): boolean {
  const variantFits =
    wanted.variant === undefined || actual.variant === undefined || wanted.variant === actual.variant;
  return wanted.os === actual.os && wanted.architecture === actual.architecture && variantFits;
}

/** The variables every Dockerfile may ask for with ARG. */
export function platformArgs(target: Platform, own: Platform): Map<string, string> {
  const args = new Map<string, string>();
  for (const [prefix, platform] of [
    ['BUILD', own],
    ['TARGET', target],
  ] as const) {
    args.set(`${prefix}PLATFORM`, formatPlatform(platform));
    args.set(`${prefix}OS`, platform.os);
    args.set(`${prefix}ARCH`, platform.architecture);
    args.set(`${prefix}VARIANT`, platform.variant ?? '');
  }
  return args;
}
