import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { silentLog } from '../../src/stdx/log.ts';
import { VolumePlugins } from '../../src/storage/volume-plugins.ts';
import { VolumeStore } from '../../src/storage/volumes.ts';
import { startVolumePlugin } from '../support/volume-plugin.ts';
import { temporaryFolder, temporaryStorage } from './storage-fixture.ts';

suite('volumes of plugins', () => {
  test('are made, found, mounted for each user and removed by the plugin', async t => {
    const { volumes, plugin, shelf } = await shelfWorld(t);
    const made = await volumes.create({ name: 'data', driver: 'shelf', labels: { a: 'b' } });
    assert.deepEqual([made.driver, made.mountpoint, made.labels], ['shelf', '', { a: 'b' }]);
    const path = await volumes.mount('data', 'c1');
    assert.equal(path, join(shelf, 'data'));
    assert.equal(await volumes.mount('data', 'c1'), path);
    await volumes.mount('data', 'c2');
    assert.deepEqual([...plugin.mounts.get('data')!], ['c1', 'c2']);
    const { scope, status, createdAt } = await volumes.inspect('data');
    assert.deepEqual([scope, status, createdAt], ['global', { users: 2 }, '2020-02-02T02:02:02Z']);
    await assert.rejects(volumes.remove('data'), { kind: 'conflict' });
    await volumes.unmount('data', 'c1');
    await volumes.unmount('data', 'c1');
    await volumes.unmount('data', 'c2');
    await volumes.remove('data');
    assert.equal(existsSync(path), false);
    await assert.rejects(volumes.inspect('data'), { message: 'get data: no such volume' });
  });

  test('that the plugin has of others are found by name; one name is one volume', async t => {
    const { volumes, shelf } = await shelfWorld(t);
    mkdirSync(join(shelf, 'theirs'));
    assert.deepEqual(
      (await volumes.listAll()).volumes.map(({ name, driver }) => [name, driver]),
      [['theirs', 'shelf']],
    );
    assert.equal((await volumes.create({ name: 'theirs' })).driver, 'shelf');
    await assert.rejects(volumes.create({ name: 'theirs', driver: 'local' }), { kind: 'conflict' });
    await volumes.create({ name: 'mine' });
    await assert.rejects(volumes.create({ name: 'mine', driver: 'shelf' }), { kind: 'conflict' });
    await assert.rejects(volumes.create({ name: 'mine', driver: 'nosuch' }), {
      kind: 'notFound',
      message: 'create mine: error looking up volume plugin nosuch: plugin "nosuch" not found',
    });
    assert.deepEqual(volumes.drivers(), ['local', 'shelf']);
  });

  test("whose plugin fails say so in the plugin's words, and are forgotten by force", async t => {
    const { volumes, shelf, plugin } = await shelfWorld(t);
    await assert.rejects(volumes.create({ name: 'bad', driver: 'shelf', options: { fail: 'full' } }), {
      message: 'create bad: VolumeDriver.Create: asked to fail: full',
    });
    assert.equal(volumes.find('bad'), undefined);
    await volumes.create({ name: 'lost', driver: 'shelf' });
    plugin.garbled = true;
    const message = 'create odd: VolumeDriver.Create: plugin "shelf": the answer is no JSON object';
    await assert.rejects(volumes.create({ name: 'odd', driver: 'shelf' }), { message });
    await assert.rejects(volumes.inspect('lost'), /the answer is no JSON object/);
    plugin.garbled = false;
    rmSync(join(shelf, 'lost'), { recursive: true });
    await assert.rejects(volumes.mount('lost', 'c1'), /VolumeDriver.Mount: no volume lost on the shelf$/);
    await assert.rejects(volumes.remove('lost'), /^EngineError: remove lost: VolumeDriver.Remove: no volume/);
    await volumes.remove('lost', { force: true });
    assert.equal(volumes.find('lost'), undefined);
  });

  test('are reached over the network, too, and what is no plugin is refused', async t => {
    const { volumes, plugin, directories } = await shelfWorld(t);
    const { promise, resolve } = Promise.withResolvers<void>();
    plugin.server.close(() => resolve());
    plugin.server.closeAllConnections();
    await promise;
    await new Promise<void>(listening => plugin.server.listen(0, '127.0.0.1', listening));
    const { port } = plugin.server.address() as { port: number };
    const specification = join(directories.specifications[0]!, 'far.spec');
    writeFileSync(specification, `tcp://127.0.0.1:${port}\n`);
    await volumes.create({ name: 'away', driver: 'far' });
    assert.equal((await volumes.inspect('away')).scope, 'global');
    writeFileSync(specification.replace('far', 'odd'), 'gopher:nonsense');
    await assert.rejects(volumes.create({ name: 'odd', driver: 'odd' }), /plugin "odd": invalid address/);
  });
});

async function shelfWorld(t: TestContext) {
  const folder = temporaryFolder(t);
  const directories = { sockets: join(folder, 'plugins'), specifications: [join(folder, 'etc')] };
  mkdirSync(join(folder, 'etc'));
  const shelf = join(folder, 'shelf');
  const plugin = await startVolumePlugin(join(directories.sockets, 'shelf.sock'), shelf);
  t.after(() => plugin.stop());
  const { database, paths, workers } = await temporaryStorage(t, join(folder, 'data'));
  const plugins = new VolumePlugins(directories);
  const volumes = new VolumeStore({ database, paths, workers, log: silentLog, plugins });
  return { volumes, plugin, shelf, directories };
}
