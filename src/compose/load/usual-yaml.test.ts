import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { brokenProjects } from '../../../test/compose/broken.ts';
import { validProjects } from '../../../test/compose/valid.ts';
import { ComposeFileError } from './node.ts';
import { readAnyYaml } from './read.ts';
import { readUsualYaml } from './usual-yaml.ts';

/** @returns whether it was read */
function readAlike(text: string): boolean {
  const usual = readUsualYaml(text, 'f');
  if (usual === undefined) return false;
  let any: unknown;
  try {
    any = readAnyYaml(text, 'f');
  } catch (error) {
    if (!(error instanceof ComposeFileError)) throw error;
    any = error.message;
  }
  assert.deepEqual([usual], any, text);
  return true;
}

describe('YAML as it is usually written', () => {
  test('is read as the YAML parser reads it', () => {
    const rows = [
      'a: 1\n',
      'a: b # c\nd:   "e # f"   # g\n',
      'a:\n  b: 0x1f\n  # c\n\n  c: ~\n\n# d\nd: {e: , f: [g, "h", \'i\', [], {}], j: -1}\n',
      'a:\n- b\n- -c\n- "d": x\n',
      'a:\n- b: c\n  d: e\n-   f:\n      - g\n    h: i',
      'a:\n  - b\n  - c:\n    - d\n  -  {e: f}\ng:   # h\n  i: j\nk:',
      'a: [b\u00a0, c  , d ]\ne: f\u00a0g  \n',
      'a: http://b:80/c#d\nb: ${C:-d}\nc: a,b]c\nd: [a:b, -x, ${A}]\ne: é # ü\n',
    ];
    const read = rows.map(readAlike);
    assert.deepEqual(read, [true, true, true, true, true, true, true, false]);
  });

  test('collections in brackets, texts and anchors are read over several lines', () => {
    const rows = [
      'a: {b: c,\n  d: [e,\n    f # g\n    , h,\n  ], # i\n\n  j: "k"\n}\nl: m\n',
      'a:\n  b: [\n    c\n  ]\n  d: {\n    "e":1, "f": \'g\',\n  # h\n    }\n',
      'a:\n- [b,\n   c]\n- {d: e,\n f: g\n}\n',
      '"a": "b\\n\\"c\\\\"\n"d e":\n  f: \'g\'\'h\'\n',
      'a: |\n  b\n   c # d\n\n  e\n\nf:\n  - >-\n      g\n      h\n  # i\n  - |- # j\n    k\nl: >\n  m\n',
      'a: |\n  b',
      'a: &x\n  b: [c]\nd: *x\n',
      'x-a: &a\n  b: &b [c]\n  d: e\nf:\n  <<: *a\n  d: g\n  h: {<<: [*a], i: *b, j: [*b]}\nk:\n- *b\n- &l m\n- *l\n',
      'a: &b |\n  c\nd: *b\n',
    ];
    const read = rows.map(readAlike);
    assert.deepEqual(
      read,
      rows.map(() => true),
    );
  });

  test('anything else is left to the parser', () => {
    const rows = [
      '',
      '# a\n',
      ' a: b\n',
      '- a\n',
      'a\n',
      '---\na: b\n',
      'a: b\n---\n',
      'a: b\n...\n',
      'a: b\na: c\n',
      'a: b\n c\n',
      'a: b\n  c: d\n',
      'a:\n  b: c\n d: e\n',
      'a:\n    b: c\n  d: e\n',
      'a: |+\n  b\n',
      'a: |\n',
      'a: |2\n  b\n',
      'a: >\n  b\n\n  c\n',
      'a: |\n    b\n  c\n',
      'a: &b c\nd: &b e\n',
      'a: &b\nd: *b\n',
      'a: *b\n',
      'a: &b {c: *b}\n',
      'a: [&b c]\n',
      '{a: b}\n',
      'a: &b c\nd: &e *b\n',
      'a: !reset b\n',
      '<<: {a: b}\n<<: {c: d}\n',
      '<<: a\n',
      '"<<": {a: b}\n',
      'a:\n  b: {c: d\n }\n',
      'a: [b\n]c\n',
      'a: [[b\n]]\n',
      'a: {b:\n  }\n',
      '1: a\nnull: b\n',
      'a: "b\n  c"\n',
      'a: "b\\x41"\n',
      'a: b: c\n',
      'a: [b, c\n',
      'a: [b: c]\n',
      'a: {b}\n',
      'a: {b: c, b: d}\n',
      'a: [b] c\n',
      'a: "b" c\n',
      'a: "b"#c\n',
      'a:\n  b\n',
      'a: - b\n',
      'a:\tb\n',
      'a: b\r\n',
      `a: ${'['.repeat(1000)}${']'.repeat(1000)}\n`,
      `${'a'.repeat(2000)}: b\n`,
    ];
    for (const text of rows) assert.equal(readUsualYaml(text, 'f'), undefined, text);
  });

  test('most projects are usual', () => {
    const texts = [validProjects, brokenProjects].flatMap(projects =>
      Object.values(projects).flatMap(files => Object.entries(files)),
    );
    const yaml = texts.filter(([name]) => /\.ya?ml$/.test(name)).map(([, text]) => text);
    const read = yaml.filter(readAlike);
    assert.ok(read.length > yaml.length / 2, `${read.length} of ${yaml.length}`);
  });

  test('what is made of pieces of YAML is read alike or not at all', () => {
    const pieces = [
      'a',
      'b: ',
      'c:',
      '\n',
      '\n  ',
      '\n    ',
      '- ',
      '-',
      ' ',
      '#',
      ' # ',
      '"',
      "'",
      '[',
      ']',
      '{',
      '}',
    ];
    const more = [
      ', ',
      ',',
      ':',
      '1',
      '~',
      '"x"',
      '[a, b]',
      '{a: b}',
      '\nk: v',
      '\n  k: v',
      '\n- ',
      '\n  - ',
      ',\n',
      '\n   ',
      '"b":',
      '"\\n"',
      '|',
      '>-',
      '\n\n',
      '&x ',
      '*x',
      '<<: ',
      '$',
      '?',
    ];
    const made = fc.array(fc.constantFrom(...pieces, ...more), { maxLength: 14 });
    fc.assert(
      fc.property(made, fc.boolean(), (parts, nested) => {
        readAlike(`${nested ? 'a:\n  ' : 'a: '}${parts.join('')}`);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });
});
