import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { MS_BIND, MS_NOEXEC, MS_RDONLY, MS_REC } from '../linux/constants.ts';
import { planLocalMount, resolveAddress } from './volume-mount.ts';
import { checkVolumeName, validateLocalOptions, volumeShape } from './volume-options.ts';

suite('volume options', () => {
  test("names are refused in Docker's words", () => {
    checkVolumeName('a_b.c-D9');
    assert.throws(() => checkVolumeName('a'), {
      kind: 'invalid',
      message: 'create a: volume name is too short, names should be at least two alphanumeric characters',
    });
    for (const name of ['x!', '../x', '.hidden', '-x', 'a/b', 'ü1', 'x\n']) {
      assert.throws(() => checkVolumeName(name), {
        kind: 'invalid',
        message:
          /includes invalid characters for a local volume name, only "\[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\]" are allowed/,
      });
    }
  });

  test('options need each other', () => {
    validateLocalOptions('x', {});
    validateLocalOptions('x', { type: 'nfs', device: ':/x', o: 'addr=h' });
    assert.throws(() => validateLocalOptions('x', { type: 'tmpfs' }), {
      message: 'create x: missing required option: "device"',
    });
    assert.throws(() => validateLocalOptions('x', { foo: '1' }), {
      message: 'create x: invalid option: "foo"',
    });
    assert.throws(() => validateLocalOptions('x', { size: '1', type: 'tmpfs', device: 'tmpfs' }), {
      message: 'create x: conflicting options: size is not for what device mounts',
    });
  });

  test('owner, permissions and size are numbers', () => {
    assert.deepEqual(volumeShape('x', { uid: '1000', mode: '2750', size: '1.5k' }), {
      uid: 1000,
      gid: undefined,
      mode: 0o2750,
      limitBytes: 1536,
    });
    for (const [option, value] of Object.entries({ uid: '-1', gid: '4294967295', mode: '0x1', size: '0' }))
      assert.throws(() => volumeShape('x', { [option]: value }), /create x: invalid (uid|gid|mode|size)/);
  });

  test('`o` is cut into flags and data', () => {
    const plan = (o: string) => planLocalMount({ type: 't', device: 'd', o });
    assert.deepEqual(plan('ro,noexec,size=1m,,mode=700'), {
      source: 'd',
      type: 't',
      flags: MS_RDONLY | MS_NOEXEC,
      data: 'size=1m,mode=700',
    });
    assert.equal(plan('rbind,ro,rw').flags, MS_BIND | MS_REC);
  });

  test("a server's name becomes its address", async () => {
    const plan = planLocalMount({ type: 'nfs', device: ':/x', o: 'addr=localhost,vers=4' });
    assert.match((await resolveAddress(plan)).data, /^addr=(127\.0\.0\.1|::1),vers=4$/);
    assert.equal((await resolveAddress({ ...plan, data: 'addr=10.0.0.1' })).data, 'addr=10.0.0.1');
  });
});
