import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../oci/digest.ts';
import { type ContainerUse, planRemoval, type RemovalView } from './remove.ts';

/** Images by one letter; names as `name:tag` and `name@digest`. */
interface World {
  names?: Record<string, string[]>;
  parents?: Record<string, string>;
  containers?: Record<string, ContainerUse[]>;
}

const idOf = (letter: string): Digest => `sha256:${letter.repeat(64)}`;

function viewOf(world: World): RemovalView {
  const letterOf = (id: Digest) => id.at(-1)!;
  return {
    referencesOf: id =>
      [...(world.names?.[letterOf(id)] ?? [])].sort().map(name => {
        const [, path, suffix] = /^([^:@]+)([:@].+)$/.exec(name)!;
        return { name: `docker.io/library/${path}`, suffix: suffix!, imageId: id };
      }),
    childrenOf: id =>
      Object.entries(world.parents ?? {})
        .filter(([, parent]) => idOf(parent) === id)
        .map(([child]) => idOf(child)),
    parentOf: id => {
      const parent = world.parents?.[letterOf(id)];
      return parent === undefined ? undefined : idOf(parent);
    },
    containersOf: id => world.containers?.[letterOf(id)] ?? [],
  };
}

/** The plan as text: `-web:1` for a name, `xa` for an image. */
function plan(
  world: World,
  letter: string,
  text: string,
  options: { force?: boolean; noPrune?: boolean } = {},
): string {
  return planRemoval(viewOf(world), idOf(letter), text, { force: false, noPrune: false, ...options })
    .map(step =>
      step.kind === 'untag'
        ? `-${step.name.replace('docker.io/library/', '')}${step.suffix}`
        : `x${step.imageId.at(-1)}`,
    )
    .join(' ');
}

const digest = `@sha256:${'1'.repeat(64)}`;
const running: ContainerUse[] = [{ id: 'c'.repeat(64), running: true }];
const stopped: ContainerUse[] = [{ id: 'd'.repeat(64), running: false }];

test('by name: the name, its digests with the last tag, the image with the last name', () => {
  assert.equal(plan({ names: { a: ['web:1'] } }, 'a', 'web:1'), '-web:1 xa');
  assert.equal(plan({ names: { a: ['web:1', 'web:2'] } }, 'a', 'web:1'), '-web:1');
  assert.equal(
    plan({ names: { a: ['web:latest', `web${digest}`] } }, 'a', 'web'),
    `-web:latest -web${digest} xa`,
  );
  assert.equal(plan({ names: { a: ['web:1', `app${digest}`] } }, 'a', 'web:1'), '-web:1');
  assert.equal(plan({ names: { a: ['web:1', `web${digest}`] } }, 'a', `web${digest}`), `-web${digest}`);
});

test('by id: all names when they are of one repository', () => {
  assert.equal(plan({ names: { a: ['web:1', `web${digest}`] } }, 'a', 'aaaa'), `-web:1 -web${digest} xa`);
  assert.throws(() => plan({ names: { a: ['app:1', 'web:1'] } }, 'a', 'aaaa'), {
    kind: 'conflict',
    message:
      'conflict: unable to delete aaaaaaaaaaaa (must be forced) - image is referenced in multiple repositories',
  });
  assert.equal(plan({ names: { a: ['app:1', 'web:1'] } }, 'a', 'aaaa', { force: true }), '-app:1 -web:1 xa');
});

test('containers hold their image', () => {
  const inUse = { names: { a: ['web:1'] }, containers: { a: running } };
  assert.throws(() => plan(inUse, 'a', 'web:1'), {
    kind: 'conflict',
    message:
      'conflict: unable to remove repository reference "web:1" (must force) - container cccccccccccc is using its referenced image aaaaaaaaaaaa',
  });
  assert.equal(plan(inUse, 'a', 'web:1', { force: true }), '-web:1', 'the image stays, without a name');
  assert.throws(() => plan(inUse, 'a', 'aaaa', { force: true }), {
    message:
      'conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - image is being used by running container cccccccccccc',
  });
  const resting = { names: { a: ['web:1'] }, containers: { a: stopped } };
  assert.throws(() => plan(resting, 'a', 'aaaa'), {
    message:
      'conflict: unable to delete aaaaaaaaaaaa (must be forced) - image is being used by stopped container dddddddddddd',
  });
  assert.equal(plan(resting, 'a', 'aaaa', { force: true }), '-web:1 xa');
  assert.equal(
    plan({ names: { a: ['web:1', 'app:1'] }, containers: { a: running } }, 'a', 'web:1'),
    '-web:1',
  );
});

test('children hold their parent; unused nameless parents go with the last child', () => {
  const family: World = { names: { c: ['web:1'] }, parents: { c: 'b', b: 'a' } };
  assert.equal(plan(family, 'c', 'web:1'), '-web:1 xc xb xa');
  assert.equal(plan(family, 'c', 'web:1', { noPrune: true }), '-web:1 xc');
  assert.equal(plan({ ...family, names: { c: ['web:1'], a: ['base:1'] } }, 'c', 'web:1'), '-web:1 xc xb');
  assert.equal(plan({ ...family, parents: { c: 'b', b: 'a', d: 'b' } }, 'c', 'web:1'), '-web:1 xc');
  assert.equal(plan({ ...family, containers: { b: stopped } }, 'c', 'web:1'), '-web:1 xc');
  assert.equal(plan({ ...family, names: { a: ['base:1'] } }, 'a', 'base:1'), '-base:1');
  assert.throws(() => plan(family, 'a', 'aaaa', { force: true }), {
    message: 'conflict: unable to delete aaaaaaaaaaaa (cannot be forced) - image has dependent child images',
  });
});
