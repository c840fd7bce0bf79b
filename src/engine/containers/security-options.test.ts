import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSecurityOptions, readSecurityOptions } from './security-options.ts';

const defaults = { seccomp: { name: 'builtin', profile: 'default' }, noNewPrivileges: true } as const;

for (const [option, message] of [
  ['bogus', 'invalid --security-opt 1: "bogus"'],
  ['', 'invalid --security-opt 1: ""'],
  ['label', 'invalid --security-opt 1: "label"'],
  ['seccomp', 'invalid --security-opt 1: "seccomp"'],
  ['bogus=1', 'invalid --security-opt 2: "bogus=1"'],
  ['label:user=x', 'invalid --security-opt 2: "label:user=x"'],
  ['no-new-privileges=maybe', 'invalid --security-opt 2: "no-new-privileges=maybe"'],
  ['writable-cgroups=', 'invalid --security-opt 2: "writable-cgroups="'],
] as const) {
  test(`--security-opt "${option}" is refused`, () =>
    assert.throws(() => readSecurityOptions([option]), { kind: 'invalid', message }));
}

test('the last of a kind counts, and what is not said is as the daemon has it', () => {
  const asked = ['disable', 'label:disable', 'apparmor=mine', 'apparmor=unconfined', 'writable-cgroups'];
  assert.deepEqual(parseSecurityOptions(asked, defaults), {
    seccomp: 'default',
    noNewPrivileges: true,
    writableCgroups: true,
    apparmorProfile: undefined,
  });
  const second = parseSecurityOptions(['seccomp:unconfined', 'no-new-privileges=F'], defaults);
  assert.equal(second.seccomp, 'unconfined');
  assert.equal(second.noNewPrivileges, false);
});

test('a seccomp profile is looked into at the start only', () => {
  readSecurityOptions(['seccomp={']);
  assert.throws(
    () => parseSecurityOptions(['seccomp={'], defaults),
    /^EngineError: Decoding seccomp profile/,
  );
});
