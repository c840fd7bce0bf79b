import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Accounts, resolveRemap } from './userns-remap.ts';

const files: Record<string, string> = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\npoor:x:1001:1001::/:/bin/sh\n',
  '/etc/group': 'root:x:0:\nme:x:1000:\n',
  '/etc/subuid': '# ranges\nother:100000:65536\nme:165536:10\n1000:300000:5\n',
  '/etc/subgid': 'other:100000:65536\nme:200000:65536\n',
};

class FakeAccounts implements Accounts {
  readonly files = { ...files };
  readonly made: string[] = [];

  read(path: string): string {
    return this.files[path] ?? '';
  }

  addUser(name: string): void {
    this.made.push(`user ${name}`);
    this.files['/etc/passwd'] += `${name}:x:999:999::/:/bin/false\n`;
  }

  addRanges(name: string, uid: { first: number; size: number }, gid: { first: number; size: number }): void {
    this.made.push(`ranges ${uid.first}+${uid.size} ${gid.first}+${gid.size}`);
    this.files['/etc/subuid'] += `${name}:${uid.first}:${uid.size}\n`;
    this.files['/etc/subgid'] += `${name}:${gid.first}:${gid.size}\n`;
  }
}

describe('userns-remap', () => {
  test("takes a user's ranges one after the other, whether they are his by name or by number", () => {
    for (const spec of ['me', '1000', 'me:me', 'me:0', '1000:1000']) {
      assert.deepEqual(resolveRemap(spec, new FakeAccounts()), {
        uid: [
          { containerID: 0, hostID: 165536, size: 10 },
          { containerID: 10, hostID: 300000, size: 5 },
        ],
        gid: [{ containerID: 0, hostID: 200000, size: 65536 }],
      });
    }
  });

  test('makes the account and the ranges that `default` stands for, behind all others, once', () => {
    const accounts = new FakeAccounts();
    const mappings = resolveRemap('default', accounts);
    assert.deepEqual(mappings?.uid, [{ containerID: 0, hostID: 300005, size: 65536 }]);
    assert.deepEqual(mappings?.gid, [{ containerID: 0, hostID: 265536, size: 65536 }]);
    assert.deepEqual(resolveRemap('default', accounts), mappings);
    assert.deepEqual(accounts.made, ['user dockremap', 'ranges 300005+65536 265536+65536']);
  });

  test('remaps nothing for root, and nothing when it is not asked to', () => {
    for (const spec of ['', 'root', '0']) assert.equal(resolveRemap(spec, new FakeAccounts()), undefined);
  });

  test("refuses in Docker's words", () => {
    const refusal = (spec: string) => {
      try {
        resolveRemap(spec, new FakeAccounts());
      } catch (error) {
        return (error as Error).message;
      }
      return 'not refused';
    };
    assert.equal(refusal('a:b:c'), 'Invalid user/group specification in --userns-remap: "a:b:c"');
    assert.equal(
      refusal('nosuch'),
      'Error during uid lookup for "nosuch": unable to find entry "nosuch" in passwd database',
    );
    assert.match(refusal('77'), /^Uid 77 has no entry in \/etc\/passwd: /);
    assert.match(refusal('me:nosuch'), /^Error during groupname lookup for "nosuch": /);
    assert.match(refusal('me:77'), /^Gid 77 has no entry in /);
    assert.equal(refusal('poor'), 'Can\'t create ID mappings: no subuid ranges found for user "poor"');
  });
});
