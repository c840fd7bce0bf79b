import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../stdx/errors.ts';
import { resolveUser } from './user.ts';

const database = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:web:/srv:/bin/false\n# odd\nbad line\n',
  group: 'root:x:0:\nwww:x:44:\nlogs:x:50:web,root\n99:x:7:\n',
};

const cases: [string, string[], object][] = [
  ['', [], { uid: 0, gid: 0, additionalGids: [0, 50], home: '/root' }],
  ['web', [], { uid: 33, gid: 44, additionalGids: [44, 50], home: '/srv' }],
  ['33', [], { uid: 33, gid: 44, additionalGids: [44, 50], home: '/srv' }],
  ['web:root', [], { uid: 33, gid: 0, additionalGids: [0], home: '/srv' }],
  ['1234', [], { uid: 1234, gid: 0, additionalGids: [0], home: '/' }],
  ['1234:99', [], { uid: 1234, gid: 7, additionalGids: [7], home: '/' }],
  ['web', ['logs', '600'], { uid: 33, gid: 44, additionalGids: [44, 50, 600], home: '/srv' }],
];

for (const [spec, groups, wanted] of cases) {
  test(`user "${spec}" with groups [${groups}]`, () => {
    assert.deepEqual(resolveUser(spec, groups, database), wanted);
  });
}

test('without passwd and group files root is root', () => {
  assert.deepEqual(resolveUser('', [], { passwd: '', group: '' }), {
    uid: 0,
    gid: 0,
    additionalGids: [0],
    home: '/root',
  });
});

for (const [spec, message] of [
  ['nobody-here', 'unable to find user nobody-here: no matching entries in passwd file'],
  ['web:nogroup', 'unable to find group nogroup: no matching entries in group file'],
  ['4294967296', 'uids and gids must be in range 0-2147483647'],
  ['-1', 'uids and gids must be in range 0-2147483647'],
  ['web:2147483648', 'uids and gids must be in range 0-2147483647'],
] as const) {
  test(`user "${spec}" is refused`, () => {
    assert.throws(
      () => resolveUser(spec, [], database),
      error => error instanceof EngineError && error.kind === 'invalid' && error.message === message,
    );
  });
}
