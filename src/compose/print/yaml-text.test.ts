import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toYaml } from './yaml.ts';

/** Texts, and what docker compose prints for each of them as a value. */
const printed: Record<string, string> = {
  'a b': 'a b',
  '': '""',
  "it's": "it's",
  "'q'": "'''q'''",
  '\'"': "'''\"'",
  '"q"': '\'"q"\'',
  'a: b': "'a: b'",
  'a #b': "'a #b'",
  'a#b': 'a#b',
  '- x': "'- x'",
  '-a': '-a',
  '---': "'---'",
  '--- a': "'--- a'",
  '...': "'...'",
  '<<': '<<',
  '?a': '?a',
  '? a': "'? a'",
  ':a': ':a',
  'a:': "'a:'",
  '{a': "'{a'",
  'a}': 'a}',
  ' a': "' a'",
  'a ': "'a '",
  '\ta': '"\\ta"',
  on: '"on"',
  oN: 'oN',
  Y: '"Y"',
  '1_0': '"1_0"',
  '08': '"08"',
  '1e1000': '1e1000',
  '9223372036854775808': '"9223372036854775808"',
  '+.inf': '"+.inf"',
  '2001-1-1': '"2001-1-1"',
  '2001-13-45': '2001-13-45',
  '1:2:3': '"1:2:3"',
  '1:60': '1:60',
  '\x07': '"\\a"',
  'a\0': '"a\\0"',
  '\x7f': '"\\x7F"',
  '\x85': '"\\N"',
  '\u00a0': '\u00a0',
  '\u200b': '\u200b',
  '\u2028': "'\u2028'",
  '\ufeffx': '"\\uFEFF\\x78"',
  '😀': '"\\U0001F600"',
  'a\nb': '|-\n  a\n  b',
  'a\n': '|\n  a',
  'a\n\n': '|+\n  a\n',
  '\na': '|2-\n\n  a',
  '\n': '|2+\n',
  ' \n': '" \\n"',
  ' a\nb': '|2-\n   a\n  b',
  'a \nb': '"a \\nb"',
  'a\n ': '"a\\n "',
  'a\n\t': '|-\n  a\n  \t',
  'a\r\nb': '"a\\r\\nb"',
  'a\u2029b\nc': '|-\n  a\u2029  b\n  c',
};

test('texts print as Go’s encoder writes them', () => {
  const ours = Object.keys(printed).map(text => [text, toYaml({ k: text }).slice(3, -1)]);
  assert.deepEqual(Object.fromEntries(ours), printed);
});

test('keys of several lines, and numbers', () => {
  assert.equal(toYaml({ 'a\nb': [1] }), '? |-\n  a\n  b\n: - 1\n');
  assert.equal(toYaml([1e-7, 1.5, 1e21, 1e20, 0.0001]), '- 1e-07\n- 1.5\n- 1e+21\n- 1e+20\n- 0.0001\n');
  assert.equal(toYaml([Infinity, Number.NaN]), '- .inf\n- .nan\n');
});
