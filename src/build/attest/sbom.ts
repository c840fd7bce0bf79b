import { createHash } from 'node:crypto';
import type { InstalledPackage } from './packages.ts';

export const spdxPredicateType = 'https://spdx.dev/Document';

export interface SbomFacts {
  /** Of the image, or of what it is for. */
  name: string;
  packages: readonly InstalledPackage[];
  distribution: { id: string; version: string } | undefined;
  createdMs: number;
  version: string;
}

/** What is installed in an image, as an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3). */
export function spdxDocument({ name, packages, distribution, createdMs, version }: SbomFacts): object {
  const described = 'SPDXRef-DocumentRoot-Image';
  const written = packages.map(one => writePackage(one, distribution));
  const content = createHash('sha256')
    .update(JSON.stringify([name, createdMs, written]))
    .digest('hex');
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    // A name of its own for each document, the same for the same content; nothing need be found there.
    documentNamespace: `urn:uuid:${uuidOf(content)}`,
    creationInfo: {
      created: new Date(createdMs).toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: [`Tool: gantry-${version}`],
    },
    packages: [
      {
        name,
        SPDXID: described,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'NOASSERTION',
        copyrightText: 'NOASSERTION',
        primaryPackagePurpose: 'CONTAINER',
      },
      ...written,
    ],
    relationships: [
      relation('SPDXRef-DOCUMENT', 'DESCRIBES', described),
      ...written.map(({ SPDXID }) => relation(described, 'CONTAINS', SPDXID)),
    ],
  };
}

function relation(spdxElementId: string, relationshipType: string, relatedSpdxElement: string) {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

function writePackage(one: InstalledPackage, distribution: SbomFacts['distribution']) {
  const locator = packageUrl(one, distribution);
  const id = createHash('sha256').update(locator).digest('hex').slice(0, 16);
  const { source } = one;
  const built = source === undefined ? '' : `, built from ${source.name} ${source.version}`;
  return {
    name: one.name,
    SPDXID: `SPDXRef-Package-${one.type}-${one.name.replace(/[^A-Za-z0-9.-]/g, '-')}-${id}`,
    versionInfo: one.version,
    supplier: one.maintainer === undefined ? 'NOASSERTION' : person(one.maintainer),
    downloadLocation: 'NOASSERTION',
    ...(one.homepage === undefined ? {} : { homepage: one.homepage }),
    filesAnalyzed: false,
    sourceInfo: `installed according to ${one.list}${built}`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: isExpression(one.license) ? one.license : 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: locator },
    ],
  };
}

/** `pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-12` (package-url's specification, types deb and apk). */
function packageUrl(one: InstalledPackage, distribution: SbomFacts['distribution']): string {
  const { id = one.type === 'deb' ? 'debian' : 'alpine', version = '' } = distribution ?? {};
  const { source } = one;
  const qualifiers: Record<string, string> = {
    ...(one.architecture === '' ? {} : { arch: one.architecture }),
    ...(distribution === undefined ? {} : { distro: version === '' ? id : `${id}-${version}` }),
    ...(source === undefined ? {} : { upstream: upstreamOf(source, one.version) }),
  };
  const query = Object.entries(qualifiers)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join('&');
  const name = `${encodeURIComponent(id)}/${encodeURIComponent(one.name)}@${encodeURIComponent(one.version)}`;
  return `pkg:${one.type}/${name}${query === '' ? '' : `?${query}`}`;
}

function upstreamOf({ name, version }: NonNullable<InstalledPackage['source']>, own: string): string {
  return version === own ? name : `${name}@${version}`;
}

/** `Jane Doe <jane@example.com>` as `Person: Jane Doe (jane@example.com)`; teams cannot be told from people. */
function person(maintainer: string): string {
  const match = /^(.*?)\s*<([^>]*)>$/.exec(maintainer);
  return match === null ? `Person: ${maintainer}` : `Person: ${match[1]} (${match[2]})`;
}

/** apk's lists mostly have SPDX's own expressions, and now and then a list of words. */
function isExpression(license: string | undefined): license is string {
  const id = '[A-Za-z0-9.+-]+';
  const term = `\\(*${id}(?: WITH ${id})?\\)*`;
  return license !== undefined && new RegExp(`^${term}(?: (?:AND|OR) ${term})*$`).test(license);
}

function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, variant + hex.slice(17, 20)];
  return [...parts, hex.slice(20, 32)].join('-');
}
