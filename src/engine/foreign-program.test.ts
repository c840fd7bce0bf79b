import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignProgram } from './foreign-program.ts';

test("crun's words for a program of another machine become runc's", () => {
  const foreign = new ForeignProgram();
  const shown = (text: string) => foreign.shown(Buffer.from(text)).toString();
  assert.equal(shown('hello\n'), 'hello\n');
  assert.equal(foreign.exitCode(1), 1);
  assert.equal(
    shown('exec container process `/bin/sh`: Exec format error\n'),
    'exec /bin/sh: exec format error\n',
  );
  assert.deepEqual([foreign.exitCode(1), foreign.exitCode(2)], [255, 2]);
});
