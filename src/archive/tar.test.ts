import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { EngineError } from '../stdx/errors.ts';
import { decodeName } from './names.ts';
import { encodePaxRecord } from './pax.ts';
import type { TarHeader } from './tar-header.ts';
import { TarParser } from './tar-parser.ts';
import { readBody, readTar } from './tar-reader.ts';
import { encodeEnd, encodeHeader, encodePadding, type TarHeaderInit } from './tar-writer.ts';

interface Read {
  header: TarHeader;
  content: Buffer;
}

/** Parses an archive that arrives in pieces of the given size. */
function parse(archive: Buffer, pieceSize = archive.length): Read[] {
  const found: Read[] = [];
  const parser = new TarParser({
    entry: header => found.push({ header, content: Buffer.alloc(Math.min(header.size, 1 << 24)) }),
    data: (chunk, offset) => void chunk.copy(found.at(-1)!.content, offset),
    endEntry: () => {},
  });
  for (let at = 0; at < archive.length; at += pieceSize) parser.write(archive.subarray(at, at + pieceSize));
  parser.end();
  return found;
}

function archiveOf(entries: readonly (TarHeaderInit & { content?: Buffer })[]): Buffer {
  const parts = entries.flatMap(({ content = Buffer.alloc(0), ...header }) => [
    encodeHeader({ ...header, size: content.length }),
    content,
    encodePadding(content.length),
  ]);
  return Buffer.concat([...parts, encodeEnd()]);
}

/** A block with some bytes replaced and its checksum made right again. */
function patched(archive: Buffer, at: number, bytes: string | Buffer): Buffer {
  const copy = Buffer.from(archive);
  copy.set(Buffer.from(bytes), at);
  copy.fill(0x20, 148, 156);
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

const nameArbitrary = fc
  .array(fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constant(0x2f), fc.constant(0x61)), {
    minLength: 1,
    maxLength: 300,
  })
  .map(bytes => decodeName(Buffer.from(bytes)));

const headerArbitrary: fc.Arbitrary<TarHeader> = fc.record({
  name: fc.oneof(
    nameArbitrary,
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 150 }).filter(name => !name.includes('\0')),
  ),
  type: fc.constantFrom('file', 'symlink', 'hardlink', 'char', 'block', 'fifo'),
  size: fc.constant(0),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mtimeNs: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 19n }),
  linkName: fc.constant(''),
  devMajor: fc.constant(0),
  devMinor: fc.constant(0),
  xattrs: fc
    .array(
      fc.tuple(
        fc.stringMatching(/^user\.[a-z]{1,10}$/),
        fc.uint8Array({ maxLength: 50 }).map(bytes => Buffer.from(bytes)),
      ),
      { maxLength: 3 },
    )
    .map(pairs => new Map(pairs)),
  uname: fc.constantFrom('', 'root', 'jürgen'),
  gname: fc.constantFrom('', 'x'.repeat(40)),
}) as fc.Arbitrary<TarHeader>;

suite('tar', () => {
  test('nothing comes to a sink that is busy', () => {
    const sink = {
      busy: false,
      seen: [] as string[],
      entry: ({ name }: TarHeader) => sink.seen.push(name),
      data: (chunk: Buffer) => sink.seen.push(chunk.toString()),
      endEntry: () => {
        sink.busy = true;
      },
    };
    const header = { type: 'file', mode: 0o644 } as const;
    const content = Buffer.from('content');
    let rest = archiveOf([
      { ...header, name: 'one', content },
      { ...header, name: 'two', content },
    ]);
    const parser = new TarParser(sink);
    const step = () => {
      sink.seen = [];
      sink.busy = false;
      rest = rest.subarray(parser.write(rest));
      return sink.seen;
    };
    assert.deepEqual(step(), ['one', 'content']);
    assert.equal(parser.write(rest), 0);
    assert.deepEqual(step(), ['two', 'content']);
    assert.deepEqual(step(), []);
    assert.equal(rest.length, 0);
    parser.end();
  });

  test('what is written is read again', () => {
    fc.assert(
      fc.property(
        headerArbitrary,
        fc.uint8Array({ maxLength: 1500 }),
        fc.integer({ min: 1, max: 1600 }),
        (header, bytes, pieceSize) => {
          const content = header.type === 'file' ? Buffer.from(bytes) : Buffer.alloc(0);
          const device =
            header.type === 'char' || header.type === 'block' ? { devMajor: 8, devMinor: 2 ** 20 } : {};
          const link =
            header.type === 'symlink' || header.type === 'hardlink' ? { linkName: header.name } : {};
          const wanted = { ...header, ...device, ...link, size: content.length };
          const [read, ...rest] = parse(archiveOf([{ ...wanted, content }]), pieceSize);
          assert.deepEqual(rest, []);
          assert.deepEqual(
            { ...read!.header, xattrs: [...read!.header.xattrs].sort() },
            { ...wanted, xattrs: [...wanted.xattrs].sort() },
          );
          assert.deepEqual(read!.content, content);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the same header gives the same bytes', () => {
    const a = new Map([
      ['user.a', Buffer.of(1)],
      ['user.b', Buffer.of(2)],
    ]);
    const b = new Map([...a].reverse());
    assert.deepEqual(
      encodeHeader({ name: 'x', type: 'file', xattrs: a }),
      encodeHeader({ name: 'x', type: 'file', xattrs: b }),
    );
  });

  test('nothing but EngineErrors come of bad archives', () => {
    const good = archiveOf([
      { name: 'dir', type: 'directory' },
      {
        name: `${'long/'.repeat(60)}name`,
        type: 'file',
        content: Buffer.from('hello'),
        xattrs: new Map([['user.x', Buffer.of(0, 255)]]),
      },
      { name: 'link', type: 'hardlink', linkName: 'dir' },
    ]);
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(changes, fc.nat(good.length), fc.boolean(), (spots, end, fix) => {
        let bad = Buffer.from(good);
        for (const [at, byte] of spots) bad[at] = byte;
        // Wrong checksums hide the parser from most changes.
        if (fix)
          for (let at = 0; at + 512 <= bad.length; at += 512)
            bad = Buffer.concat([bad.subarray(0, at), patched(bad.subarray(at), 0, '')]);
        expectEngineError(() => parse(bad.subarray(0, end)));
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), bytes =>
        expectEngineError(() => parse(Buffer.from(bytes))),
      ),
    );
  });

  test('sparse maps that lie are refused', () => {
    const empty = archiveOf([{ name: 'x', type: 'file', content: Buffer.from('data') }]);
    const sparse = patched(empty, 156, 'S');
    const withMap = (offset: string, length: string, realSize: string) =>
      patched(patched(patched(sparse, 386, `${offset}\0`), 398, `${length}\0`), 483, `${realSize}\0`);
    assert.equal(
      parse(withMap('00000000010', '00000000004', '00000000100'))[0]!.content.toString('latin1', 8, 12),
      'data',
    );
    assert.throws(() => parse(withMap('00000000010', '00000000004', '00000000011')), /map of a sparse file/);
    assert.throws(() => parse(withMap('00000000010', '00000000005', '00000000100')), /map of a sparse file/);
    assert.throws(() => parse(withMap('xxxxxxxxxxx', '00000000004', '00000000100')), /bad sparse map/);
  });

  test('global headers hold for what follows, until taken back', () => {
    const global = (key: string, value: string) => {
      const record = encodePaxRecord(Buffer.from(key), Buffer.from(value));
      const block = patched(encodeHeader({ name: 'g', type: 'file', size: record.length }), 156, 'g');
      return Buffer.concat([block, record, encodePadding(record.length)]);
    };
    const one = (name: string) => encodeHeader({ name, type: 'file', uid: 1 });
    const archive = Buffer.concat([
      one('a'),
      global('uid', '77'),
      global('path', 'all'),
      one('b'),
      global('uid', ''),
      one('c'),
      encodeEnd(),
    ]);
    assert.deepEqual(
      parse(archive).map(({ header }) => [header.name, header.uid]),
      [
        ['a', 1],
        ['b', 77],
        ['c', 1],
      ],
    );
  });

  test('an archive without its end is read, one cut in an entry is not', () => {
    const archive = archiveOf([{ name: 'x', type: 'file', content: Buffer.from('data') }]);
    assert.equal(parse(archive.subarray(0, 516)).length, 1);
    for (const length of [100, 512, 514])
      assert.throws(() => parse(archive.subarray(0, length)), { kind: 'invalid' });
    assert.deepEqual(parse(Buffer.alloc(0)), []);
  });

  test('rubbish after the end does not matter', () => {
    assert.deepEqual(parse(Buffer.concat([encodeEnd(), Buffer.from('rubbish')])), []);
  });

  for (const format of [
    ['v7'],
    ['oldgnu'],
    ['ustar'],
    ['gnu'],
    ['gnu', '-S'],
    ['pax'],
    ...['0.0', '0.1', '1.0'].map(version => ['pax', '-S', `--sparse-version=${version}`]),
  ]) {
    test(`GNU tar's --format=${format.join(' ')}`, async t => {
      const folder = exampleTree(t);
      const [name, ...more] = format;
      const archive = execFileSync(
        'tar',
        ['--format', name!, ...more, '--sort=name', '--xattrs', '-C', folder, '-c', '.'],
        { maxBuffer: 1 << 28 },
      );
      const found: Record<string, string> = {};
      for await (const entry of readTar(Readable.from([archive]))) {
        const content = await readBody(entry, 1 << 24);
        found[entry.header.name] =
          entry.header.type === 'file'
            ? `${content.length} ${content.subarray(0, 5)}${content.subarray(-5)}`
            : `${entry.header.type} ${entry.header.linkName}`;
      }
      const wanted: Record<string, string> = {
        './': 'directory ',
        './a': '5 hellohello',
        './b': 'hardlink ./a',
        './link': 'symlink a',
        './sparse': '3000000 beginnded\n',
      };
      // The tars of old have no room for it.
      if (name !== 'v7') wanted[`./${'n'.repeat(90)}/${'m'.repeat(90)}/`] = 'directory ';
      if (name !== 'v7') wanted[`./${'n'.repeat(90)}/`] = 'directory ';
      assert.deepEqual(found, wanted);
    });
  }
});

function expectEngineError(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind !== 'invalid') throw error;
  }
}

function exampleTree(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-tar-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  writeFileSync(at('a'), 'hello');
  linkSync(at('a'), at('b'));
  symlinkSync('a', at('link'));
  if (!t.name.includes('v7')) mkdirSync(at(`${'n'.repeat(90)}/${'m'.repeat(90)}`), { recursive: true });
  const fd = openSync(at('sparse'), 'w');
  writeSync(fd, 'begin', 0);
  // More pieces than fit into a header block, so that its continuation is read too.
  for (let piece = 1; piece < 40; piece++) writeSync(fd, `piece ${piece}`, piece * 65536);
  writeSync(fd, 'ended\n', 3_000_000 - 6);
  truncateSync(at('sparse'), 3_000_000);
  return folder;
}
