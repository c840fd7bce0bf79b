import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../stdx/errors.ts';
import { expandKnown, expandText, expandWord, expandWords } from './expand.ts';

const variables: Record<string, string> = {
  A: 'alpha',
  EMPTY: '',
  PATHS: '/usr/local/bin/tool.tar.gz',
  WORDS: 'one two',
  NAME: 'A',
  REPEAT: 'foofoo',
};
const lookup = (name: string): string | undefined => variables[name];

const expansions: [string, string][] = [
  ['plain', 'plain'],
  ['$A', 'alpha'],
  ['${A}', 'alpha'],
  ['x${A}y', 'xalphay'],
  ['$A$A', 'alphaalpha'],
  ['$MISSING', ''],
  ['a${MISSING}b', 'ab'],
  ['$', '$'],
  ['$ ', '$ '],
  ['a$,b', 'a$,b'],
  ['$1x', 'x'],
  // Quotes and escapes.
  ["'$A'", '$A'],
  ['"$A"', 'alpha'],
  ['"a\\"b"', 'a"b'],
  ['"\\$A"', '$A'],
  ['"\\n"', '\\n'],
  ['\\$A', '$A'],
  ['\\a', 'a'],
  ["'it''s'", 'its'],
  ['"\'$A\'"', "'alpha'"],
  ['"a\\\\b"', 'a\\b'],
  // Defaults and alternatives.
  ['${A:-x}', 'alpha'],
  ['${MISSING:-x}', 'x'],
  ['${EMPTY:-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${MISSING-x}', 'x'],
  ['${MISSING:-}', ''],
  ['${A:+x}', 'x'],
  ['${MISSING:+x}', ''],
  ['${EMPTY:+x}', ''],
  ['${EMPTY+x}', 'x'],
  ['${MISSING+x}', ''],
  ['${MISSING:-${A}}', 'alpha'],
  ['${MISSING:-${ALSO:-deep}}', 'deep'],
  ['${MISSING:-"a}b"}', 'a}b'],
  ['${A:?oops}', 'alpha'],
  ['${EMPTY?oops}', ''],
  // Prefixes and suffixes.
  ['${PATHS#*/}', 'usr/local/bin/tool.tar.gz'],
  ['${PATHS##*/}', 'tool.tar.gz'],
  ['${PATHS%.*}', '/usr/local/bin/tool.tar'],
  ['${PATHS%%.*}', '/usr/local/bin/tool'],
  ['${PATHS#nothing}', '/usr/local/bin/tool.tar.gz'],
  ['${A#a?p}', 'ha'],
  ['${A%h\\*}', 'alpha'],
  ['${MISSING#x}', ''],
  ['${A#}', 'alpha'],
  // Replacing.
  ['${REPEAT/foo/bar}', 'barfoo'],
  ['${REPEAT//foo/bar}', 'barbar'],
  ['${REPEAT//o/}', 'ff'],
  ['${REPEAT/x/y}', 'foofoo'],
  ['${PATHS/\\/usr/X}', 'X/local/bin/tool.tar.gz'],
  ['${REPEAT/f*o/$A}', 'alpha'],
  ['${REPEAT//o/\\/}', 'f\\/\\/f\\/\\/'],
  ['${A#\\a}', 'lpha'],
  ['${PATHS%%.tar*}', '/usr/local/bin/tool'],
  ['${MISSING/x/y}', ''],
  ['${A/${A}/${WORDS}}', 'one two'],
];

test('every form of a variable', () => {
  for (const [word, expected] of expansions) assert.equal(expandWord(word, lookup), expected, word);
});

const faults: [string, RegExp][] = [
  ['${A', /^syntax error: missing '}'$/],
  ['${', /^syntax error: missing '}'$/],
  ['${A:', /^syntax error: missing '}'$/],
  ['${A:-x', /^syntax error: missing '}'$/],
  ['${A/x', /^syntax error: missing '\/'$/],
  ['${}', /^syntax error: bad substitution$/],
  ['${A:x}', /^unsupported modifier \(:x\) in substitution$/],
  ['${A@Q}', /^unsupported modifier \(@\) in substitution$/],
  ["'open", /single-quote$/],
  ['"open', /double-quote$/],
  ['${MISSING:?no value}', /^MISSING: no value$/],
  ['${MISSING?}', /^MISSING: is not allowed to be unset$/],
  ['${EMPTY:?}', /^EMPTY: is not allowed to be empty$/],
];

test('faults say what is wrong', () => {
  for (const [word, message] of faults) {
    assert.throws(
      () => expandWord(word, lookup),
      (error: unknown) =>
        error instanceof EngineError &&
        error.kind === 'invalid' &&
        error.message.startsWith(`failed to process ${JSON.stringify(word)}: `) &&
        message.test(error.message.replace(/^failed to process ".*": /, '')),
      word,
    );
  }
});

test('the escape directive moves the escape', () => {
  assert.equal(expandWord('`$A\\$A', lookup, '`'), '$A\\alpha');
});

test('words are cut at unquoted space, that of values too', () => {
  assert.deepEqual(expandWords('$WORDS "$WORDS" x', lookup), ['one', 'two', 'one two', 'x']);
  assert.deepEqual(expandWords(' $MISSING ', lookup), []);
  assert.deepEqual(expandWords('""', lookup), ['']);
});

test('heredoc text keeps its quotes', () => {
  assert.equal(expandText(`"$A" '$A' \\$A\n`, lookup), `"alpha" 'alpha' $A\n`);
  assert.equal(expandText('a\\b \\\\ \\" end\\\n', lookup), 'ab \\ " end\n');
});

test('a command as it is shown keeps its quotes and what is unset', () => {
  const shown: [string, string][] = [
    [`echo \\$A '$A' "$A" "x\\"$A" y\\ z`, `echo $A '$A' "alpha" "x"alpha" y z`],
    ['$MISSING ${MISSING} ${MISSING:-d} ${MISSING:+x}', '$MISSING ${MISSING} ${MISSING:-d} ${MISSING:+x}'],
    ['${A:+"x"} ${A#al} $EMPTY| $$ $1 $(date)', '"x" pha | $$ $1 $(date)'],
  ];
  for (const [text, expected] of shown) assert.equal(expandKnown(text, lookup), expected, text);
});

test('a pattern of many stars takes no time to fail', () => {
  const value = 'a'.repeat(300);
  assert.equal(
    expandWord(`\${V#${'*a'.repeat(40)}b}`, () => value),
    value,
  );
});
