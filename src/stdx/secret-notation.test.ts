import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSecretNotation } from './secret-notation.ts';

test('a name alone, fields as docker service has them, and a name followed by fields', () => {
  assert.deepEqual(parseSecretNotation('db'), { source: 'db' });
  assert.deepEqual(parseSecretNotation('src=db,target=/a/b,uid=5,gid=6,mode=0400'), {
    source: 'db',
    target: '/a/b',
    uid: '5',
    gid: '6',
    mode: 0o400,
  });
  assert.deepEqual(parseSecretNotation('db,"Target=a,b"'), { source: 'db', target: 'a,b' });
});

test('modes are numbers of Go: octal with a zero in front', () => {
  const modeOf = (text: string) => parseSecretNotation(`db,mode=${text}`).mode;
  assert.deepEqual(['0440', '0o440', '288', '0x120', '0', '0b100'].map(modeOf), [288, 288, 288, 288, 0, 4]);
});

test('faults are told in words of docker', () => {
  const faults: [string, string][] = [
    ['', 'EOF'],
    ['target=x', 'source is required'],
    ['source=', 'source is required'],
    ['=x', "invalid field '=x' must be a key=value pair"],
    ['db,', "invalid field '' must be a key=value pair"],
    ['db,uid', "invalid field 'uid' must be a key=value pair"],
    ['db,foo=bar', 'invalid field in secret request: foo'],
    ['db, uid=1', 'invalid field in secret request:  uid'],
    ['db,mode=', 'invalid mode specified: strconv.ParseUint: parsing "": invalid syntax'],
    ['db,mode=0999', 'invalid mode specified: strconv.ParseUint: parsing "0999": invalid syntax'],
    ['db,mode=-1', 'invalid mode specified: strconv.ParseUint: parsing "-1": invalid syntax'],
    [
      'db,mode=99999999999',
      'invalid mode specified: strconv.ParseUint: parsing "99999999999": value out of range',
    ],
  ];
  for (const [text, message] of faults) {
    assert.throws(() => parseSecretNotation(text), { kind: 'invalid', message }, text);
  }
});
