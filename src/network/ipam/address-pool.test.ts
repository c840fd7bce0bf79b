import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, parseIp } from '../../stdx/ip.ts';
import { AddressPool } from './address-pool.ts';

function take(pool: AddressPool): string {
  return formatIp(pool.allocate());
}

test('addresses come in turn, and a freed one comes last', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/29', gateway: '10.0.0.1' });
  assert.deepEqual([take(pool), take(pool)], ['10.0.0.2', '10.0.0.3']);
  pool.release(parseIp('10.0.0.2')!);
  assert.deepEqual(
    [take(pool), take(pool), take(pool), take(pool)],
    ['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2'],
  );
  assert.throws(() => pool.allocate(), {
    kind: 'exhausted',
    message: 'no available IPv4 addresses on this address pool',
  });
});

test('a container that comes back keeps its address when nobody took it', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
  const first = pool.allocate();
  pool.release(first);
  assert.deepEqual(pool.allocate(first), first);
  assert.notDeepEqual(pool.allocate(first), first);
});

test('certain addresses are reserved or refused', () => {
  const pool = new AddressPool({
    subnet: '10.0.0.0/24',
    gateway: '10.0.0.1',
    auxAddresses: { x: '10.0.0.9' },
  });
  pool.reserve(parseIp('10.0.0.77')!);
  for (const taken of ['10.0.0.77', '10.0.0.1', '10.0.0.9', '10.0.0.0', '10.0.0.255']) {
    assert.throws(() => pool.reserve(parseIp(taken)!), { message: 'Address already in use' }, taken);
  }
  assert.throws(() => pool.reserve(parseIp('10.0.1.1')!), { message: 'Requested address is out of range' });
});

test('a range limits what is chosen, not what is asked for', () => {
  const pool = new AddressPool({ subnet: '10.0.0.0/16', gateway: '10.0.0.1', ipRange: '10.0.5.4/31' });
  pool.reserve(parseIp('10.0.9.9')!);
  assert.deepEqual([take(pool), take(pool)], ['10.0.5.4', '10.0.5.5']);
  assert.throws(() => pool.allocate(), { kind: 'exhausted' });
});

test('no address is ever given twice, and a full pool is really full', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('take'), fc.nat(20)), { maxLength: 200 }), steps => {
      const pool = new AddressPool({ subnet: '10.0.0.0/28', gateway: '10.0.0.1' });
      const held: string[] = [];
      for (const step of steps) {
        if (typeof step === 'number') {
          const [freed] = held.splice(step, 1);
          if (freed !== undefined) pool.release(parseIp(freed)!);
        } else if (held.length === 13) {
          assert.throws(() => pool.allocate());
        } else {
          const address = take(pool);
          assert.ok(!held.includes(address), address);
          held.push(address);
        }
      }
    }),
  );
});
