import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { deleteLink } from '../../src/linux/netlink/links.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { type Capture, capture } from '../../src/network/capture/capture.ts';
import { askUdp, enterPrivateHost, plugNeighbour, serveUdp } from '../support/network-world.ts';

interface Packet {
  seconds: number;
  keptBytes: number;
  lengthBytes: number;
  text: string;
}

/** Everything a capture has to say, until its end. */
async function readAll(packets: Capture): Promise<Packet[]> {
  const file = Buffer.concat(await packets.toArray());
  assert.equal(file.readUInt32LE(0), 0xa1b23c4d);
  assert.equal(file.readUInt32LE(20), 1, 'Ethernet');
  const found: Packet[] = [];
  for (let at = 24; at < file.length; ) {
    const [seconds, , keptBytes, lengthBytes] = [0, 4, 8, 12].map(part => file.readUInt32LE(at + part));
    at += 16 + keptBytes!;
    const text = file.subarray(at - keptBytes!, at).toString('latin1');
    found.push({ seconds: seconds!, keptBytes: keptBytes!, lengthBytes: lengthBytes!, text });
  }
  return found;
}

test('packets of a link are seen, those that are asked for, until the link goes', async () => {
  enterPrivateHost();
  const neighbour = plugNeighbour([{ host: '10.9.0.1/24', neighbour: '10.9.0.2/24' }]);
  const server = serveUdp(neighbour, 5000, 'answer');
  const other = serveUdp(neighbour, 5001, 'another');
  const options = { interfaceName: 'lan1', port: 5000 };
  const counted = capture(neighbour.path, { ...options, count: 2 });
  const cut = capture(neighbour.path, { ...options, host: '10.9.0.1', keptBytes: 20 });
  const elsewhere = capture(neighbour.path, { ...options, host: '10.9.0.3' });
  const beforeS = Math.floor(Date.now() / 1000);
  assert.equal(await askUdp(undefined, '10.9.0.2', 5001), 'another');
  assert.equal(await askUdp(undefined, '10.9.0.2', 5000), 'answer');
  const packets = await readAll(counted);
  assert.deepEqual(
    packets.map(({ text }) => /hello|answer|another/.exec(text)?.[0]),
    ['hello', 'answer'],
  );
  assert.ok(packets.every(({ seconds }) => seconds >= beforeS && seconds <= Date.now() / 1000));
  assert.ok(packets.every(({ keptBytes, lengthBytes }) => keptBytes === lengthBytes));
  using socket = new NetlinkSocket();
  deleteLink(socket, 'lan0');
  assert.deepEqual(
    (await readAll(cut)).map(({ keptBytes, lengthBytes }) => [keptBytes, lengthBytes > 20]),
    [
      [20, true],
      [20, true],
    ],
  );
  assert.deepEqual(await readAll(elsewhere), []);
  assert.throws(() => capture(neighbour.path, options), { kind: 'notFound' });
  const loopback = capture(neighbour.path, { interfaceName: 'lo' });
  loopback.finish();
  assert.deepEqual(await readAll(loopback), []);
  const dropped = capture(neighbour.path, { interfaceName: 'lo' });
  dropped.destroy();
  await once(dropped, 'close');
  for (const one of [server, other, neighbour]) one.close();
});
