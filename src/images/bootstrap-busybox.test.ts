import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsInterpreter, planRoot } from './bootstrap-busybox.ts';

test('every applet is where it belongs and in /bin', () => {
  const links = planRoot(['bin/ls', 'usr/bin/awk', 'sbin/ip', 'bin/busybox', 'linuxrc', 'odd/place/x'])
    .filter(entry => entry.type === 'symlink')
    .map(entry => `${entry.name} ${entry.linkName}`);
  assert.deepEqual(links, [
    'bin/awk busybox',
    'bin/ip busybox',
    'bin/ls busybox',
    'bin/x busybox',
    'sbin/ip ../bin/busybox',
    'usr/bin/awk ../../bin/busybox',
  ]);
});

test('directories come before what is in them', () => {
  const seen = new Set(['.']);
  for (const { name, type } of planRoot(['usr/bin/awk'])) {
    assert.ok(seen.has(name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '.'), name);
    if (type === 'directory') seen.add(name);
  }
});

test('a dynamic program is told by its PT_INTERP', () => {
  const elf = Buffer.alloc(64 + 56);
  elf.writeUInt32BE(0x7f454c46, 0);
  elf[4] = 2;
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64);
  assert.equal(needsInterpreter(elf), false);
  elf.writeUInt32LE(3, 64);
  assert.equal(needsInterpreter(elf), true);
});
