import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '../../stdx/errors.ts';
import { DockerfileError } from './errors.ts';
import type { Instruction } from './instructions.ts';
import { parseDockerfile } from './parse.ts';

function parse(text: string) {
  return parseDockerfile({ file: 'Dockerfile', text });
}

/** The one instruction after FROM, without its place. */
function one(text: string): Record<string, unknown> {
  const stage = parse(`FROM x\n${text}`).stages[0]!;
  assert.equal(stage.instructions.length, 1, text);
  const { lines: _lines, text: _text, ...rest } = stage.instructions[0]!;
  return JSON.parse(JSON.stringify(rest));
}

const instructions: [string, object][] = [
  ['RUN echo hi', { command: { shell: true, args: ['echo hi'] }, network: 'default' }],
  ['run ["a", "b c"]', { command: { shell: false, args: ['a', 'b c'] } }],
  ['RUN ["a", b]', { command: { shell: true, args: ['["a", b]'] } }],
  ['RUN [ -f x ] && y', { command: { shell: true, args: ['[ -f x ] && y'] } }],
  ['RUN --network=none a --b', { command: { shell: true, args: ['a --b'] }, network: 'none' }],
  [
    'RUN --mount=type=cache,target=/c,ro --mount=type=bind,from=b,src=/s,dst=/d x',
    {
      mounts: [
        {
          fields: [
            { key: 'type', value: 'cache' },
            { key: 'target', value: '/c' },
            { key: 'ro', value: 'true' },
          ],
        },
        {
          fields: [
            { key: 'type', value: 'bind' },
            { key: 'from', value: 'b' },
            { key: 'src', value: '/s' },
            { key: 'dst', value: '/d' },
          ],
          from: 'b',
        },
      ],
    },
  ],
  ['RUN a \\\n  # comment\n\n  b', { command: { shell: true, args: ['a   b'] } }],
  ['RUN a \\\\', { command: { shell: true, args: ['a \\\\'] } }],
  ['CMD', { command: { shell: true, args: [] } }],
  ['CMD []', { command: { shell: false, args: [] } }],
  ['CMD a "b"', { command: { shell: true, args: ['a "b"'] } }],
  ['ENTRYPOINT ["x"]', { command: { shell: false, args: ['x'] } }],
  ['ENV a b c', { pairs: [{ key: 'a', value: 'b c' }] }],
  [
    'ENV a=b c="d e" f=\'g h\' i=j\\ k',
    {
      pairs: [
        { key: 'a', value: 'b' },
        { key: 'c', value: '"d e"' },
        { key: 'f', value: "'g h'" },
        { key: 'i', value: 'j\\ k' },
      ],
    },
  ],
  ['LABEL "a.b"="c d"', { pairs: [{ key: '"a.b"', value: '"c d"' }] }],
  [
    'ARG a b=c d=',
    { args: [{ name: 'a' }, { name: 'b', defaultValue: 'c' }, { name: 'd', defaultValue: '' }] },
  ],
  [
    'COPY a b c/',
    {
      sources: [
        { type: 'path', path: 'a' },
        { type: 'path', path: 'b' },
      ],
      destination: 'c/',
    },
  ],
  ['COPY ["a b", "c"]', { sources: [{ type: 'path', path: 'a b' }], destination: 'c' }],
  [
    'COPY --from=0 --chown=a:b --chmod=755 --link --exclude=*.md --exclude=x --parents a b',
    { from: '0', chown: 'a:b', chmod: '755', link: true, parents: true, exclude: ['*.md', 'x'] },
  ],
  [
    'ADD --checksum=sha256:ab --unpack=false http://x/y /',
    { checksum: 'sha256:ab', unpack: false, kind: 'ADD' },
  ],
  ['EXPOSE 80 $P/udp 1-2', { ports: ['80', '$P/udp', '1-2'] }],
  ['VOLUME /a /b', { paths: ['/a', '/b'] }],
  ['VOLUME ["/a b"]', { paths: ['/a b'] }],
  ['USER a:b', { user: 'a:b' }],
  ['WORKDIR /a b', { path: '/a b' }],
  ['SHELL ["/bin/bash", "-c"]', { shell: ['/bin/bash', '-c'] }],
  ['STOPSIGNAL SIGINT', { signal: 'SIGINT' }],
  ['HEALTHCHECK NONE', { test: ['NONE'] }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=3s --start-period=1.5s --start-interval=100ms --retries=3 CMD curl x',
    {
      test: ['CMD-SHELL', 'curl x'],
      intervalNs: 90e9,
      timeoutNs: 3e9,
      startPeriodNs: 15e8,
      startIntervalNs: 1e8,
      retries: 3,
    },
  ],
  ['HEALTHCHECK CMD ["a", "b"]', { test: ['CMD', 'a', 'b'] }],
  ['ONBUILD RUN x y', { expression: 'RUN x y' }],
  ['MAINTAINER a b <c@d>', { maintainer: 'a b <c@d>' }],
];

test('every instruction', () => {
  for (const [text, expected] of instructions) {
    const actual = one(text);
    for (const [key, value] of Object.entries(expected))
      assert.deepEqual(actual[key], value, `${text}: ${key}`);
  }
});

const heredocs: [string, object][] = [
  ['RUN <<EOF\na\n  b\nEOF', { name: 'EOF', content: 'a\n  b\n', expand: true, chomp: false }],
  ['RUN <<-EOF\n\ta\n\t\tb\n\tEOF', { content: 'a\nb\n', chomp: true }],
  ["RUN <<'EOF'\n$a\nEOF", { name: 'EOF', content: '$a\n', expand: false }],
  ['RUN <<"E F"\nx\nE F', { name: 'E F', content: 'x\n', expand: false }],
  ['RUN <<E\\F\nx\nEF', { name: 'EF', expand: false }],
  ['RUN <<E"O"F\nx\nEOF', { name: 'EOF', expand: false }],
  ["RUN <<-'E'\n\t$a\n\tE", { name: 'E', content: '$a\n', chomp: true, expand: false }],
  ['RUN <<A cat; cat <<B\n1\nA\n2\nB', { name: 'A', content: '1\n' }],
  ['ONBUILD RUN <<E\nx\nE', { expression: 'RUN <<E\nx\nE' }],
  ['ADD <<f /\n\\\n# kept\n\nf', { name: 'f', content: '\\\n# kept\n\n' }],
  ['RUN python3 <<EOF > /x\n# no comment\n\\\nEOF', { content: '# no comment\n\\\n' }],
  ['RUN 3<<EOF cat\nEOF', { content: '', descriptor: '3' }],
];

test('heredocs', () => {
  for (const [text, expected] of heredocs) {
    const instruction = one(text);
    const sources = (instruction['sources'] ?? []) as { heredoc?: object }[];
    const bodies = instruction['heredocs'] ?? sources.map(source => source.heredoc);
    const first = { ...instruction, ...(bodies as object[])[0] } as Record<string, unknown>;
    for (const [key, value] of Object.entries(expected))
      assert.deepEqual(first[key], value, `${text}: ${key}`);
  }
  const copy = one('COPY <<a <<b x /d/\n1\na\n2\nb');
  const kinds = (copy['sources'] as { type: string }[]).map(source => source.type);
  assert.deepEqual(kinds, ['heredoc', 'heredoc', 'path']);
});

test('what looks like a heredoc and is none', () => {
  for (const text of ['RUN cat <<<EOF', 'RUN echo "<<EOF"', 'RUN a << b', 'ENV a=<<EOF'])
    assert.deepEqual(one(text)['heredocs'] ?? [], [], text);
});

test('instructions know their lines', () => {
  const { stages } = parse('# c\nFROM x\nRUN a \\\n b\n\nRUN <<E\nx\nE\nCMD y\n');
  const lines = stages[0]!.instructions.map(({ lines: { first, last } }) => `${first}-${last}`);
  assert.deepEqual(lines, ['3-4', '6-8', '9-9']);
});

test('directives, comments, CRLF and a byte order mark', () => {
  const windows = parse('\uFEFF# escape=`\r\n# syntax=docker/dockerfile:1\r\nFROM x\r\nRUN a `\r\n b\\\r\n');
  assert.deepEqual(windows.directives, { escape: '`', syntax: 'docker/dockerfile:1' });
  assert.equal(windows.stages[0]!.instructions[0]!.text, 'RUN a  b\\');
  // A directive after a comment is a comment.
  assert.equal(parse('# hello\n# escape=`\nFROM x').escapeToken, '\\');
  assert.equal(parse('  # hello\nFROM x').stages.length, 1);
});

test('stages and global arguments', () => {
  const file = parse('ARG V=1\nFROM --platform=$P a:$V AS Build\nFROM build\nRUN x');
  assert.equal(file.globalArgs.length, 1);
  assert.deepEqual(
    file.stages.map(({ name, from }) => [name, from.base, from.platform]),
    [
      ['build', 'a:$V', '$P'],
      [undefined, 'build', undefined],
    ],
  );
});

const faults: [string, string][] = [
  ['', 'the Dockerfile (Dockerfile) cannot be empty'],
  ['\n \n', 'failed to parse Dockerfile: file with no instructions'],
  ['# only\n', 'failed to parse Dockerfile: file with no instructions'],
  ['ARG a\n', 'no build stage in current context'],
  ['RUN x\n', 'no build stage in current context'],
  ['FROM a\n\nFORM b\n', 'dockerfile parse error line 3: unknown instruction: FORM (did you mean FROM?)'],
  ['FROM a\nQUUX b\n', 'dockerfile parse error line 2: unknown instruction: QUUX'],
  ['FROM\n', 'dockerfile parse error line 1: FROM requires either one or three arguments'],
  ['FROM a b\n', 'dockerfile parse error line 1: FROM requires either one or three arguments'],
  [
    'FROM a AS 1x\n',
    `dockerfile parse error line 1: invalid name for build stage: "1x", name can't start with a number or contain symbols`,
  ],
  ['FROM a\nRUN\n', 'dockerfile parse error line 2: RUN requires at least one argument'],
  ['FROM a\nENV x\n', 'dockerfile parse error line 2: ENV must have two arguments'],
  ['FROM a\nENV\n', 'dockerfile parse error line 2: ENV requires at least one argument'],
  [
    'FROM a\nENV a=b c\n',
    `dockerfile parse error line 2: Syntax error - can't find = in "c". Must be of the form: name=value`,
  ],
  ['FROM a\nENV =b\n', 'dockerfile parse error line 2: ENV names can not be blank'],
  [
    'FROM a\nCOPY x\n',
    'dockerfile parse error line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined.',
  ],
  ['FROM a\nCOPY --form=x a b\n', 'dockerfile parse error line 2: unknown flag: --form (did you mean from?)'],
  ['FROM a\nCOPY --chown a b\n', 'dockerfile parse error line 2: Missing a value on flag: chown'],
  [
    'FROM a\nCOPY --chown=a --chown=b a b\n',
    'dockerfile parse error line 2: Duplicate flag specified: chown',
  ],
  [
    'FROM a\nCOPY --link=x a b\n',
    'dockerfile parse error line 2: Expecting boolean value for flag link, not: x',
  ],
  [
    'FROM a\nCOPY --from=$X a b\n',
    "dockerfile parse error line 2: 'from' doesn't support variable expansion, define alias stage instead",
  ],
  ['FROM a\nRUN <<EOF\nx\n', 'dockerfile parse error line 2: unterminated heredoc'],
  [
    'FROM a\nRUN --mount=typ=cache x\n',
    "dockerfile parse error line 2: unexpected key 'typ' in 'typ=cache' (did you mean type?)",
  ],
  ['FROM a\nRUN --security=odd x\n', 'dockerfile parse error line 2: security "odd" is not valid'],
  ['FROM a\nSHELL x\n', 'dockerfile parse error line 2: SHELL requires the arguments to be in JSON form'],
  [
    'FROM a\nHEALTHCHECK RUN x\n',
    'dockerfile parse error line 2: Unknown type "RUN" in HEALTHCHECK (try CMD)',
  ],
  [
    'FROM a\nHEALTHCHECK --interval=1 CMD x\n',
    'dockerfile parse error line 2: time: missing unit in duration "1"',
  ],
  [
    'FROM a\nONBUILD ONBUILD RUN x\n',
    "dockerfile parse error line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
  ],
  ['FROM a\nONBUILD FROM x\n', "dockerfile parse error line 2: FROM isn't allowed as an ONBUILD trigger"],
  ['FROM a\nONBUILD RNU x\n', 'dockerfile parse error line 2: unknown instruction: RNU (did you mean RUN?)'],
  ['# escape=x\nFROM a\n', "dockerfile parse error line 1: invalid escape token 'x' does not match ` or \\"],
];

test("faults in Docker's words", () => {
  for (const [text, message] of faults) {
    assert.throws(
      () => parse(text),
      (error: unknown) => {
        assert.ok(error instanceof EngineError, text);
        assert.equal(error.message.split('\n')[0], message, text);
        return true;
      },
    );
  }
});

test('a fault shows file, line and excerpt', () => {
  const text = ['FROM a', 'RUN x', 'FORM b \\', ' c', 'RUN y', ''].join('\n');
  assert.throws(
    () => parseDockerfile({ file: 'sub/Dockerfile', text }),
    (error: unknown) => {
      assert.ok(error instanceof DockerfileError);
      assert.deepEqual(error.message.split('\n').slice(1), [
        'sub/Dockerfile:3',
        '--------------------',
        '   1 |     FROM a',
        '   2 |     RUN x',
        '   3 | >>> FORM b \\',
        '   4 | >>>  c',
        '   5 |     RUN y',
        '--------------------',
      ]);
      return true;
    },
  );
});

test('whatever the text, it parses or is an EngineError', () => {
  const word = fc.constantFrom(
    'FROM',
    'RUN',
    'COPY',
    'ADD',
    'ENV',
    'ARG',
    'HEALTHCHECK',
    'ONBUILD',
    'LABEL',
    'SHELL',
    'CMD',
    'scratch',
    'AS',
    '--mount=type=cache,target="a',
    '--from=x',
    '--chown',
    '<<EOF',
    '<<-"E"',
    'EOF',
    'a=b',
    '"',
    "'",
    '\\',
    '`',
    '$x',
    '${x:-',
    '["a"',
    ']',
    '#',
    'escape=`',
    '\t',
    '\r',
  );
  const line = fc.array(fc.oneof(word, fc.string({ maxLength: 6 })), { maxLength: 6 });
  const file = fc
    .array(line, { maxLength: 8 })
    .map(lines => `FROM a\n${lines.map(words => words.join(' ')).join('\n')}`);
  fc.assert(
    fc.property(fc.oneof(file, fc.string({ unit: 'binary' })), text => {
      try {
        const { stages } = parse(text);
        const all: Instruction[] = stages.flatMap(stage => [stage.from, ...stage.instructions]);
        for (const { lines } of all) assert.ok(lines.first <= lines.last);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
    }),
    { numRuns: 400 },
  );
});
