import assert from 'node:assert/strict';
import test from 'node:test';
import { commandTree, isGroup } from './command-tree.ts';
import { declareFlags, parseFlags } from './flags.ts';

const flags = declareFlags(`
  -d, --detach  Run in background
  -i, --interactive  Keep STDIN open
  -t, --tty  Allocate a pseudo-TTY
  -p, --publish list  Publish
      --rm  Remove
  -m, --memory bytes  Memory limit
      --pull string  Pull (default "missing")
      --sig-proxy  Proxy (default true)
  -n, --last int  Last (default -1)
      --dns strings  Servers
      --format string  Format:
                       |second line
#     --old  Not shown
`);

const parse = (args: string, interspersed = false) =>
  parseFlags(flags, args.split(' ').filter(Boolean), interspersed);

test('the declaration is the help text', () => {
  assert.deepEqual(flags.find(({ name }) => name === 'format')?.usage, 'Format:\nsecond line');
  assert.ok(flags.find(({ name }) => name === 'old')?.hidden);
});

test('shorts are grouped, values attached, switches turned off', () => {
  const { values, rest } = parse('-dit -p8080:80 -p=1:2 -n5 --sig-proxy=false --rm img -x y');
  assert.deepEqual(
    [values.on('detach'), values.on('interactive'), values.on('tty'), values.on('rm')],
    [true, true, true, true],
  );
  assert.deepEqual(values.list('publish'), ['8080:80', '1:2']);
  assert.equal(values.integer('last'), 5);
  assert.equal(values.on('sig-proxy'), false);
  assert.deepEqual(rest, ['img', '-x', 'y']);
});

test('defaults, and whether a flag was given', () => {
  const { values } = parse('');
  assert.equal(values.string('pull'), 'missing');
  assert.equal(values.on('sig-proxy'), true);
  assert.equal(values.integer('last'), -1);
  assert.equal(values.given('pull'), undefined);
  assert.throws(() => values.string('nope'), /not declared/);
});

test('interspersed flags, and -- that ends them', () => {
  const { values, rest } = parse('a -d b -- --rm', true);
  assert.equal(values.on('detach'), true);
  assert.equal(values.on('rm'), false);
  assert.deepEqual(rest, ['a', 'b', '--rm']);
});

test('strings are split at commas, lists are not', () => {
  assert.deepEqual(parse('--dns a,b --dns c').values.list('dns'), ['a', 'b', 'c']);
  assert.deepEqual(parse('-p a,b').values.list('publish'), ['a,b']);
});

for (const [args, message] of [
  ['--foo', 'unknown flag: --foo'],
  ['-dz', "unknown shorthand flag: 'z' in -z"],
  ['-xq', "unknown shorthand flag: 'x' in -xq"],
  ['--pull', 'flag needs an argument: --pull'],
  ['-n', "flag needs an argument: 'n' in -n"],
  ['-n x', 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
  ['--rm=x', 'invalid argument "x" for "--rm" flag: strconv.ParseBool: parsing "x": invalid syntax'],
  ['-m xx', 'invalid argument "xx" for "-m, --memory" flag: invalid size: \'xx\''],
  ['--=x', 'bad flag syntax: --=x'],
] as const) {
  test(`${args}: ${message}`, () => {
    assert.throws(() => parse(args), { message });
  });
}

test('help is asked for by --help and by -h where that is free', () => {
  assert.ok(parse('--help').help);
  assert.ok(parse('-h').help);
});

test('no command gives one letter to two flags', async () => {
  const entries = Object.values(commandTree).flatMap(entry =>
    isGroup(entry) ? Object.values(entry.commands) : [entry],
  );
  for (const { load } of entries) {
    const { command } = await load();
    const letters = declareFlags(command.flags).flatMap(flag => (flag.short === '' ? [] : [flag.short]));
    assert.equal(new Set(letters).size, letters.length, `${command.usage}: ${command.short}`);
  }
});
