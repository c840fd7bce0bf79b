import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { allHostDevices, deviceNumber, grantDevices } from './devices.ts';

/** As in /dev, where links stand for the nodes: making nodes would take root. */
let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-devices-'));
  for (const directory of ['bus/usb', 'pts', 'shm']) mkdirSync(join(root, directory), { recursive: true });
  symlinkSync('/dev/null', join(root, 'null'));
  symlinkSync('/dev/zero', join(root, 'bus/usb/zero'));
  symlinkSync('/dev/full', join(root, 'pts/0'));
  symlinkSync('/dev/full', join(root, 'console'));
  symlinkSync('/no/such/device', join(root, 'gone'));
  writeFileSync(join(root, 'file'), '');
});

after(() => rmSync(root, { recursive: true }));

test('a device is granted as its node is, under the name it shall have', () => {
  const [grant, ...more] = grantDevices('/dev/zero', '/dev/black', 'rw');
  assert.deepEqual(more, []);
  const { fileMode, ...device } = grant!.device;
  assert.deepEqual(device, { path: '/dev/black', type: 'c', major: 1, minor: 5, uid: 0, gid: 0 });
  assert.equal(fileMode! & 0o170000, 0);
  assert.equal(grant!.permissions, 'rw');
  assert.equal(grantDevices('/dev/null', '', 'r')[0]!.device.path, '/dev/null');
});

test('a directory stands for all devices in it', () => {
  const granted = grantDevices('/dev/', '/elsewhere', 'rw');
  const zero = granted.find(({ device }) => device.path === '/elsewhere/zero');
  assert.deepEqual([zero?.device.major, zero?.device.minor, zero?.permissions], [1, 5, 'rw']);
  // They are links.
  for (const name of ['/stdin', '/fd']) {
    assert.ok(!granted.some(({ device }) => device.path.startsWith(`/elsewhere${name}`)), name);
  }
});

test('what is no device is refused by name', () => {
  const refused = (path: string, why: string) =>
    assert.throws(() => grantDevices(path, path, 'rwm'), {
      kind: 'invalid',
      message: `error gathering device information while adding custom device "${path}": ${why}`,
    });
  refused('/dev/no-such-device', 'no such file or directory');
  refused(join(root, 'file'), 'not a device node');
  refused(join(root, 'file/below'), 'not a directory');
  refused(join(root, 'pts'), 'not a device node');
});

test('privileged: all devices but terminals and what each container has of its own', () => {
  const granted = allHostDevices(root);
  assert.deepEqual(granted.map(({ device }) => device.path).sort(), [
    join(root, 'bus/usb/zero'),
    join(root, 'null'),
  ]);
  assert.ok(granted.every(({ permissions }) => permissions === 'rwm'));
});

test('limits name devices by number', () => {
  assert.deepEqual(deviceNumber('/dev/zero'), { major: 1, minor: 5 });
  assert.throws(() => deviceNumber('/dev/no-such-device'), { kind: 'notFound' });
});
