import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GoRegexp } from './go-regexp.ts';
import { PatternError } from './parse.ts';

describe('GoRegexp', () => {
  // What Go's regexp.MatchString says of each.
  const fitting: [string, string][] = [
    ['', ''],
    ['', 'abc'],
    ['b', 'abc'],
    ['^abc$', 'abc'],
    ['a.c', 'axc'],
    ['a*b+c?', 'bbb'],
    ['^(a|bc|)$', ''],
    ['^(a|bc|)$', 'bc'],
    ['^a{2,3}$', 'aaa'],
    ['^a{2}$', 'aa'],
    ['^a{2,}$', 'aaaaa'],
    ['a{,2}', 'a{,2}'],
    ['x{', 'x{'],
    ['^[a-c]+$', 'abcabc'],
    ['^[^a-c]+$', 'x\ny'],
    ['[]x]', ']'],
    ['[a-]', '-'],
    ['^[[:alpha:]_]+$', 'Ab_c'],
    ['^[[:^digit:]]$', 'x'],
    ['^[\\d\\-]+$', '12-3'],
    ['^\\w+\\s\\W$', 'ab !'],
    ['^\\pL\\p{Lu}\\p{Greek}\\P{Greek}$', 'éÉαb'],
    ['(?i)ÄPFEL', 'äpfel'],
    ['a(?i)b', 'aB'],
    ['(?i:A)b', 'ab'],
    ['(?i)[^A]', 'b'],
    ['(?-i)x', 'x'],
    ['(?m)^b$', 'a\nb\nc'],
    ['(?s)a.b', 'a\nb'],
    ['(?P<name>x)(?<other>y)', 'xy'],
    ['\\Aab\\z', 'ab'],
    ['\\bab\\b', 'x ab y'],
    ['a\\Bb', 'ab'],
    ['\\Qa.b*\\E+', 'a.b**'],
    ['\\x41\\x{1F600}\\101\\t', 'A😀A\t'],
    ['^.$', '😀'],
    ['\\.\\/\\-', './-'],
    ['(a*)*b', 'aaab'],
    ['(|a)+$', ''],
    ['a*?b+?', 'b'],
  ];
  for (const [pattern, text] of fitting) {
    test(`${pattern} fits ${JSON.stringify(text)}`, () => assert.ok(new GoRegexp(pattern).fits(text)));
  }

  const notFitting: [string, string][] = [
    ['abc', 'ab'],
    ['^b', 'ab'],
    ['a$', 'a\n'],
    ['a.c', 'a\nc'],
    ['^a{2,3}$', 'aaaa'],
    ['^a{2,3}$', 'a'],
    ['^a{0}$', 'a'],
    ['[^a]', 'a'],
    ['(?i)[^A]', 'a'],
    ['a(?i:b)c', 'aBC'],
    ['(a(?i)b)c', 'abC'],
    ['\\pL', '1'],
    ['\\p{^L}', 'a'],
    ['\\bb', 'ab'],
    ['[[:upper:]]', 'a'],
    ['^\\s$', '\v'],
  ];
  for (const [pattern, text] of notFitting) {
    test(`${pattern} does not fit ${JSON.stringify(text)}`, () =>
      assert.equal(new GoRegexp(pattern).fits(text), false));
  }

  const invalid = [
    '(', ')', 'a)', '[', '[a', '[b-a]', '[[:nosuch:]]', '*', '+a', 'a**', 'a{1001}', 'a{3,2}', '\\', '\\8', '\\1',
    '\\Z', '\\C', '(?=x)', '(?<!x)', '(?P<>x)', '\\p{Nosuch}', '\\x{110000}', '(?', '(?i', '(?P<n', '(?z)',
    '(a{1000}){1000}', '('.repeat(2000),
  ]; // biome-ignore format: one after the other is easier to read
  for (const pattern of invalid) {
    test(`${pattern.slice(0, 30)} is no pattern`, () =>
      assert.throws(() => new GoRegexp(pattern), PatternError));
  }

  test('what takes exponential time elsewhere', () => {
    for (const pattern of ['(a+)+$', '(a|aa)+$', '^(a*)*$', '(.*a){20}$', '(x+x+)+y']) {
      assert.equal(new GoRegexp(pattern).fits(`${'a'.repeat(15)}${'xa'.repeat(200)}!`), false);
    }
  });
});
