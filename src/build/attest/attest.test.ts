import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imageUrl } from '../../images/package-url.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { planGraph } from '../graph.ts';
import { writtenMaterials } from './materials.ts';
import { parseApk, parseDpkg } from './packages.ts';
import { type BuildFacts, provenance } from './provenance.ts';
import { spdxDocument } from './sbom.ts';

const platform = { os: 'linux', architecture: 'amd64' };

test("names and materials, as package-url's specification has them", () => {
  assert.equal(
    imageUrl('example.com:5000/a/b:1', { ...platform, architecture: 'arm', variant: 'v7' }),
    'pkg:docker/example.com%3A5000/a/b@1?platform=linux%2Farm%2Fv7',
  );
  const material = { type: 'git', url: 'https://example.com/a.git#main', commit: 'a'.repeat(40) } as const;
  const layout = { type: 'layout', platform, digest: 'sha256:aa' } as const;
  assert.equal(writtenMaterials([layout])[0]?.uri, 'pkg:oci/layout?digest=sha256:aa&platform=linux%2Famd64');
  const http = { type: 'http', url: 'https://example.com/b', digest: 'sha256:bb' } as const;
  assert.deepEqual(writtenMaterials([http, material, http]), [
    { uri: 'https://example.com/a.git#main', digest: { sha1: 'a'.repeat(40) } },
    { uri: 'https://example.com/b', digest: { sha256: 'bb' } },
  ]);
});

const dockerfile = `FROM alpine AS base
RUN --mount=type=secret,id=token,required --mount=type=ssh --network=none make
FROM scratch
COPY --from=base /a /
`;

function factsOf(args: Record<string, string>, more: Partial<BuildFacts> = {}): BuildFacts {
  const parsed = parseDockerfile({ file: 'Dockerfile', text: dockerfile });
  const graph = planGraph(parsed, { target: '', buildArgs: {}, platform: '', ownPlatform: platform });
  const parameters = {
    frontend: 'dockerfile.v0',
    args: new Map(Object.entries(args)),
    invocationId: 'one',
    locals: ['context', 'dockerfile'],
    dockerfile: 'Dockerfile',
  };
  const times = { startedMs: 0, finishedMs: 1000 };
  return { parameters, graph, materials: [], platform, ...times, settled: false, ...more };
}

describe('provenance', () => {
  const options = {
    mode: 'min' as const,
    version: 'v0.2' as const,
    builderId: '',
    reproducible: false,
    filename: 'provenance.json',
    inlineOnly: false,
  };
  const args = {
    'build-arg:PASSWORD': 'secret',
    'label:a': 'b',
    'vcs:source': 'https://me:secret@example.com/a.git',
    'context:other': 'https://me:secret@example.com/b.git',
    platform: 'linux/amd64',
    target: 'x',
    'attest:provenance': '',
  };

  test('min tells no value of an argument, and neither tells a password', () => {
    const min = JSON.stringify(provenance(factsOf(args), options));
    const max = JSON.stringify(provenance(factsOf(args), { ...options, mode: 'max' }));
    assert.doesNotMatch(min, /PASSWORD|secret|token/);
    assert.match(max, /"build-arg:PASSWORD":"secret"/);
    assert.doesNotMatch(max, /me:secret/);
    assert.match(max, /"secrets":\[\{"id":"token"\}\],"ssh":\[\{"id":"default","optional":true\}\]/);
  });

  test('in both versions', () => {
    const first = provenance(factsOf({ target: 'x' }), options) as { metadata: object; invocation: object };
    assert.deepEqual(first.metadata, {
      buildInvocationID: 'one',
      buildStartedOn: '1970-01-01T00:00:00.000Z',
      buildFinishedOn: '1970-01-01T00:00:01.000Z',
      completeness: { parameters: true, environment: true, materials: false },
      reproducible: false,
      'https://mobyproject.org/buildkit@v1#metadata': {},
    });
    assert.deepEqual(first.invocation, {
      configSource: { entryPoint: 'Dockerfile' },
      parameters: {
        frontend: 'dockerfile.v0',
        args: { target: 'x' },
        locals: [{ name: 'context' }, { name: 'dockerfile' }],
      },
      environment: { platform: 'linux/amd64' },
    });
    const facts = factsOf({}, { settled: true });
    const remote = 'https://example.com/a.git#main';
    facts.parameters = { ...facts.parameters, locals: [], remote };
    facts.materials = [{ type: 'git', url: remote, commit: 'c'.repeat(40) }];
    const second = provenance(facts, { ...options, version: 'v1', mode: 'max' }) as {
      buildDefinition: { externalParameters: { configSource: object }; internalParameters: object };
      runDetails: { metadata: Record<string, unknown> };
    };
    assert.deepEqual(second.buildDefinition.externalParameters.configSource, {
      uri: remote,
      digest: { sha1: 'c'.repeat(40) },
      path: 'Dockerfile',
    });
    const { buildConfig } = second.buildDefinition.internalParameters as {
      buildConfig: { llbDefinition: { id: string; inputs: string[] }[] };
    };
    assert.deepEqual(
      buildConfig.llbDefinition.map(({ id, inputs }) => [id, ...inputs]),
      [['step0'], ['step1', 'step0:0'], ['step2'], ['step3', 'step2:0', 'step1:0']],
    );
    const { metadata } = second.runDetails;
    assert.equal('invocationID' in metadata, false);
    assert.equal(metadata['buildkit_hermetic'], true, 'no RUN with a network, and nothing from a client');
  });
});

test("lists of packages, and SPDX's document of them", () => {
  const status = `Package: bash
Status: install ok installed
Maintainer: Matthias Klose <doko@debian.org>
Architecture: amd64
Source: bash-source (5.2-0)
Version: 5.2-1+b3
Homepage: https://example.com/bash
Description: a shell
 Version: not this

Package: gone
Status: deinstall ok config-files
Version: 1
`;
  const apk = `C:Q1x=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl
F:lib
R:P
`;
  const packages = [...parseDpkg(status, '/var/lib/dpkg/status'), ...parseApk(apk, '/lib/apk/db/installed')];
  const facts = {
    name: 'app',
    packages,
    createdMs: 0,
    version: '1',
    distribution: { id: 'debian', version: '12' },
  };
  const document = spdxDocument(facts) as {
    packages: { name: string; licenseDeclared: string; externalRefs?: { referenceLocator: string }[] }[];
    relationships: unknown[];
    documentNamespace: string;
  };
  assert.deepEqual(
    document.packages.map(({ name, licenseDeclared, externalRefs }) => [
      name,
      licenseDeclared,
      externalRefs?.[0]?.referenceLocator,
    ]),
    [
      ['app', 'NOASSERTION', undefined],
      [
        'bash',
        'NOASSERTION',
        'pkg:deb/debian/bash@5.2-1%2Bb3?arch=amd64&distro=debian-12&upstream=bash-source%405.2-0',
      ],
      ['musl', 'MIT', 'pkg:apk/debian/musl@1.2.5-r0?arch=x86_64&distro=debian-12'],
    ],
  );
  assert.equal(document.relationships.length, 3);
  assert.match(
    document.documentNamespace,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.deepEqual(spdxDocument(facts), document);
});
