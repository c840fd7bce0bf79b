import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLines, parseStanzas, planSources } from './apt-sources.ts';

test('both formats of sources.list', () => {
  const stanzas = parseStanzas(`# a comment
Types: deb deb-src
# another one
URIs: http://m.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: x
Enabled: no
`);
  assert.deepEqual(stanzas, [{ uri: 'http://m.example/debian', suites: ['bookworm', 'bookworm-updates'] }]);
  assert.deepEqual(
    parseLines(
      '# deb http://no.example x main\ndeb [arch=amd64 a=b] http://m.example/debian bookworm main\n',
    ),
    [{ uri: 'http://m.example/debian', suites: ['bookworm'] }],
  );
});

test("the host's mirrors, for any suite", () => {
  const host = [
    { uri: 'http://other.example/node', suites: ['x'] },
    { uri: 'http://m.example/debian', suites: ['bookworm'] },
    { uri: 'http://m.example/debian-security', suites: ['bookworm-security'] },
  ];
  assert.deepEqual(
    planSources('debian', 'trixie', undefined, host).map(source => source.line),
    [
      'deb http://m.example/debian trixie main',
      'deb http://m.example/debian trixie-updates main',
      'deb http://m.example/debian-security trixie-security main',
    ],
  );
  assert.equal(planSources('debian', 'sid', undefined, host).length, 1);
  assert.deepEqual(
    planSources('debian', 'bookworm', 'http://mine.example/debian', host).map(source => source.uri),
    ['http://mine.example/debian'],
  );
  assert.throws(() => planSources('debian', 'sid', 'x main]\ndeb evil', host), { kind: 'invalid' });
});

test("Ubuntu, where the host's sources have it", () => {
  const debian = [{ uri: 'http://m.example/debian', suites: ['bookworm'] }];
  assert.throws(() => planSources('ubuntu', 'noble', undefined, debian), { kind: 'notFound' });
  const lines = parseLines('deb [signed-by=/keys/u.gpg arch=amd64] http://m.example/ubuntu/ jammy main\n');
  assert.deepEqual(lines, [{ uri: 'http://m.example/ubuntu/', suites: ['jammy'], signedBy: '/keys/u.gpg' }]);
  const sources = planSources('ubuntu', 'noble', undefined, [...debian, ...lines]);
  assert.deepEqual(
    sources.map(({ suite }) => suite),
    ['noble', 'noble-updates', 'noble-security'],
  );
  assert.equal(
    sources[0]!.line,
    'deb [signed-by=/keys/u.gpg] http://m.example/ubuntu/ noble main restricted universe multiverse',
  );
});
