import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recursiveReadOnlyObstacle } from './recursive-read-only.ts';

test('recursive read-only takes a kernel and an OCI runtime that know it', () => {
  const crun = { name: 'crun', implementation: 'crun', version: '1.8.1' };
  const kernel = { major: 6, minor: 1 };
  assert.equal(recursiveReadOnlyObstacle({ kernel }, crun), undefined);
  assert.equal(recursiveReadOnlyObstacle({ kernel: { major: 5, minor: 12 } }, crun), undefined);
  assert.match(
    recursiveReadOnlyObstacle({ kernel: { major: 5, minor: 10 } }, crun)!,
    /kernel 5\.10 is older/,
  );
  assert.match(recursiveReadOnlyObstacle({ kernel }, { ...crun, version: '1.3' })!, /runtime "crun"/);
  const runc = { name: 'runc', implementation: 'runc', version: '1.0.3' };
  assert.match(recursiveReadOnlyObstacle({ kernel }, runc)!, /runtime "runc"/);
  assert.equal(recursiveReadOnlyObstacle({ kernel }, { ...runc, version: '1.1.0' }), undefined);
  assert.match(recursiveReadOnlyObstacle({ kernel }, undefined)!, /runtime "unknown"/);
});
