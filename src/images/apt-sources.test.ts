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
    planSources('trixie', undefined, host).map(source => source.line),
    [
      'deb http://m.example/debian trixie main',
      'deb http://m.example/debian trixie-updates main',
      'deb http://m.example/debian-security trixie-security main',
    ],
  );
  assert.equal(planSources('sid', undefined, host).length, 1);
  assert.deepEqual(
    planSources('bookworm', 'http://mine.example/debian', host).map(source => source.uri),
    ['http://mine.example/debian'],
  );
  assert.throws(() => planSources('sid', 'x main]\ndeb evil', host), { kind: 'invalid' });
});
