import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerConfig } from '../../../test/support/container-values.ts';
import { mergeConfig, mergeEnvironment } from './merge.ts';

const image = {
  Entrypoint: ['/entry'],
  Cmd: ['serve'],
  Env: ['A=1', 'B=2'],
  User: 'web',
  Labels: { x: '1' },
};

const commands: [string, Parameters<typeof containerConfig>[0], (string[] | null)[]][] = [
  ['nothing asked', {}, [['/entry'], ['serve']]],
  ['a command', { cmd: ['sh'] }, [['/entry'], ['sh']]],
  ['an entrypoint drops the command', { entrypoint: ['/bin/x'] }, [['/bin/x'], null]],
  ['an empty entrypoint clears it', { entrypoint: [''], cmd: ['sh'] }, [null, ['sh']]],
];
for (const [name, asked, [entrypoint, cmd]] of commands) {
  test(`command: ${name}`, () => {
    const merged = mergeConfig(containerConfig(asked), image);
    assert.deepEqual(merged.entrypoint, entrypoint);
    assert.deepEqual(merged.cmd, cmd);
  });
}

test('no command at all is refused', () => {
  assert.throws(() => mergeConfig(containerConfig(), {}), /No command specified/);
});

test('environment: the later entry wins in the earlier one’s place, a bare name removes', () => {
  assert.deepEqual(mergeEnvironment(['A=1', 'B=2', 'C=3'], ['B=x=y', 'D=4', 'C']), ['A=1', 'B=x=y', 'D=4']);
});

test('labels and user: the caller wins', () => {
  const merged = mergeConfig(containerConfig({ labels: { x: '2', y: '3' }, user: 'root' }), image);
  assert.deepEqual(merged.labels, { x: '2', y: '3' });
  assert.equal(merged.user, 'root');
});
