import type { Descriptor, Index, Platform } from '../oci/image.ts';
import { isManifest } from '../oci/media-types.ts';
import { EngineError } from '../stdx/errors.ts';

/** Go's names for the machine this runs on, as image indexes use them. */
export function hostPlatform(): Platform {
  const architecture = { x64: 'amd64', ia32: '386', mips: 'mips', mipsel: 'mipsle' }[process.arch as string];
  const platform: Platform = { os: 'linux', architecture: architecture ?? process.arch };
  if (process.arch === 'arm') platform.variant = 'v7';
  if (process.arch === 'arm64') platform.variant = 'v8';
  return platform;
}

/**
 * `linux/arm64`, `linux/arm/v7`, `arm64`, `linux` (containerd/platforms, Parse).
 * @throws EngineError `invalid`.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const refused = (reason: string) => new EngineError('invalid', `${reason}: invalid argument`);
  if (parts.length > 3) throw refused(`"${text}": cannot parse platform specifier`);
  const odd = parts.find(part => !/^[a-z0-9_.-]+$/.test(part));
  if (odd !== undefined) {
    const rule = 'platform specifier component must match "^[A-Za-z0-9_.-]+$"';
    throw refused(`"${odd}" is an invalid component of "${text}": ${rule}`);
  }
  const host = hostPlatform();
  const [first = '', architecture, variant] = parts;
  if (architecture !== undefined) return normalised(first, architecture, variant);
  if (systems.has(first)) return { ...host, os: first };
  const alone = normalised(host.os, first, undefined);
  if (!architectures.has(alone.architecture))
    throw refused(`"${text}": unknown operating system or architecture`);
  return alone;
}

/** What a word alone may be (containerd/platforms, database.go, has it from Go's list). */
const systems = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const architectures = new Set(
  [
    '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le',
    'ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm',
  ].flatMap(line => line.split(' ')),
);

export function platformText(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined || variant === ''
    ? `${os}/${architecture}`
    : `${os}/${architecture}/${variant}`;
}

/**
 * The manifest of an index to run on a platform: the best variant the processor can run. Entries that are no images
 * for a machine (attestations are `unknown/unknown`) never match.
 * @throws EngineError `notFound` in Docker's words.
 */
export function chooseManifest(index: Index, wanted: Platform): Descriptor {
  let best: Descriptor | undefined;
  let bestRank = -1;
  for (const entry of index.manifests) {
    const rank = entry.platform === undefined ? -1 : rankOf(entry.platform, wanted);
    if (rank > bestRank) {
      best = entry;
      bestRank = rank;
    }
  }
  // An index that names no platform at all leaves it to the image's configuration.
  const nameless = index.manifests.filter(
    entry => entry.platform === undefined && isManifest(entry.mediaType),
  );
  best ??= nameless[0];
  if (best !== undefined) return best;
  throw new EngineError(
    'notFound',
    `no matching manifest for ${platformText(wanted)} in the manifest list entries`,
  );
}

/** Whether an image made for `offered` is what was asked for; the variant only counts when both name one. */
export function matchesPlatform(offered: Platform, wanted: Platform): boolean {
  return rankOf(offered, wanted) >= 0;
}

/** How well an image runs: -1 not at all, otherwise higher is better. */
function rankOf(offered: Platform, wanted: Platform): number {
  const image = normalised(offered.os, offered.architecture, offered.variant);
  if (image.os !== wanted.os || image.architecture !== wanted.architecture) return -1;
  const can = variantNumber(wanted);
  const needs = variantNumber(image);
  return needs > can ? -1 : needs;
}

/** v7 runs v6 and v5. Without a variant: arm is v7, arm64 is v8, amd64 is v1 (containerd/platforms, normalizeArch). */
function variantNumber(platform: Platform): number {
  const fallback = { arm: 7, arm64: 8, amd64: 1 }[platform.architecture] ?? 0;
  const match = /^v(\d+)/.exec(platform.variant ?? '');
  return match === null ? fallback : Number(match[1]);
}

function normalised(os: string, architecture: string, variant: string | undefined): Platform {
  const known: Record<string, [string, string?]> = {
    x86_64: ['amd64'],
    'x86-64': ['amd64'],
    i386: ['386'],
    aarch64: ['arm64', 'v8'],
    armhf: ['arm', 'v7'],
    armel: ['arm', 'v6'],
  };
  const [name, implied] = known[architecture] ?? [architecture];
  const chosen = variant || implied;
  return { os, architecture: name, ...(chosen === undefined ? {} : { variant: chosen }) };
}
