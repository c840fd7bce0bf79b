import assert from 'node:assert/strict';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { statusResponse } from '../../api/buildkit/control.ts';
import { goFileMode, packetMessage, packetType } from '../../api/buildkit/filesync.ts';
import { timestampOf } from '../../api/buildkit/well-known.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import type { InitOf } from '../../api/protobuf.ts';
import { readAgents } from './agents.ts';
import { splitFields } from './attributes.ts';
import { LocalCaches, readCaches } from './caches.ts';
import { printCheck } from './check.ts';
import { type FileRequest, FileSelection, followLinks } from './file-selection.ts';
import { openInputs, readSecrets } from './inputs.ts';
import { planOutputs } from './outputs.ts';
import { PlainDisplay } from './plain-display.ts';
import { RawDisplay } from './raw-display.ts';
import { sendFiles } from './send-files.ts';
import { walk } from './walk.ts';
import { WalkDigest } from './walk-digest.ts';

const root = mkdtempSync(join(tmpdir(), 'gantry-files-'));
after(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, 'src/deep'), { recursive: true });
mkdirSync(join(root, 'empty'));
for (const [path, content] of Object.entries({
  Dockerfile: 'FROM x',
  '.dockerignore': '*.log',
  'src/a.go': 'a',
  'src/deep/b.go': 'b'.repeat(600_000),
  'src/c.log': '',
  'src-x': '1',
})) {
  writeFileSync(join(root, path), content);
}
symlinkSync('src/deep', join(root, 'link'));
linkSync(join(root, 'src/a.go'), join(root, 'twin'));

/** What a receiver sees that wants all files. */
async function received(request: Partial<FileRequest>) {
  const entries: string[] = [];
  const contents = new Map<string, string>();
  const names: string[] = [];
  const toSender: Buffer[] = [];
  let wake = () => {};
  const ask = (packet: InitOf<typeof packetMessage>) => {
    toSender.push(packetMessage.encode(packet));
    wake();
  };
  const take = (message: Uint8Array) => {
    const { type, stat, id, data } = packetMessage.decode(message);
    if (type === packetType.stat && stat === undefined) for (const path of names.keys()) want(path);
    else if (type === packetType.stat) {
      names.push(stat!.path);
      const kind = stat!.mode >= goFileMode.directory ? '/' : '';
      entries.push(`${stat!.path}${kind}${stat!.linkname && ` -> ${stat!.linkname}`}`);
    } else if (type === packetType.data) {
      contents.set(names[id]!, (contents.get(names[id]!) ?? '') + data);
      if (data.length === 0 && --open === 0) ask({ type: packetType.fin });
    }
  };
  let open = 0;
  const want = (id: number) => {
    if (!/\.go$|Dockerfile$|x$/.test(names[id]!)) return;
    open++;
    ask({ type: packetType.request, id });
  };
  const call: GrpcCall = {
    metadata: new Map(),
    signal: new AbortController().signal,
    messages: (async function* () {
      for (;;) {
        while (toSender.length > 0) yield toSender.shift()!;
        await new Promise<void>(resolve => (wake = resolve));
      }
    })(),
    send: async message => take(message),
    sendAll: async messages => messages.forEach(take),
  };
  const selection = new FileSelection(root, { include: [], exclude: [], follow: [], ...request });
  await sendFiles(root, walk(root, selection), call);
  return { entries, contents };
}

describe('files of a context', () => {
  test('everything, in the order of the protocol', async () => {
    const { entries, contents } = await received({});
    assert.deepEqual(entries, [
      '.dockerignore',
      'Dockerfile',
      'empty/',
      'link -> src/deep',
      'src/',
      'src/a.go',
      'src/c.log',
      'src/deep/',
      'src/deep/b.go',
      'src-x',
      'twin -> src/a.go',
    ]);
    assert.equal(contents.get('src/deep/b.go')?.length, 600_000);
    assert.equal(contents.get('src-x'), '1');
  });

  const rows: [name: string, request: Partial<FileRequest>, entries: string[]][] = [
    ['one file', { include: ['Dockerfile', 'none'] }, ['Dockerfile']],
    ['a file below', { include: ['src/deep/b.go'] }, ['src/', 'src/deep/', 'src/deep/b.go']],
    ['a directory', { include: ['src/deep'] }, ['src/', 'src/deep/', 'src/deep/b.go']],
    ['a pattern', { include: ['src/*.go'] }, ['src/', 'src/a.go']],
    [
      'what a link leads to',
      { follow: ['link/b.go'] },
      ['link -> src/deep', 'src/', 'src/deep/', 'src/deep/b.go'],
    ],
    ['excluded', { exclude: ['src', '*.log', 'link', 'twin', '.*'] }, ['Dockerfile', 'empty/', 'src-x']],
    [
      'excluded, but for something below',
      { exclude: ['**', '!src/deep/b.go'] },
      ['src/', 'src/deep/', 'src/deep/b.go'],
    ],
    ['both', { include: ['src'], exclude: ['**/*.log', 'src/deep'] }, ['src/', 'src/a.go']],
  ];
  for (const [name, request, entries] of rows) {
    // A receiver that wants nothing ends at once; one file is enough here.
    test(name, async () => assert.deepEqual((await received(request)).entries, entries));
  }

  test('a digest tells what the size and the time of a file would not', () => {
    const all: FileRequest = { include: [], exclude: [], follow: [] };
    const directory = mkdtempSync(join(tmpdir(), 'gantry-digest-'));
    after(() => rmSync(directory, { recursive: true }));
    const now = (walkedMs = Date.now() + 60_000) => {
      const digest = new WalkDigest({ root: directory, files: all, nowMs: walkedMs });
      assert.equal(digest.walk(10), false);
      const paths = [...walk(directory, new FileSelection(directory, all))].map(({ path }) => path);
      return { paths, digest: digest.whole().toString('hex') };
    };
    // UTF-16 has these two the other way round.
    for (const name of ['\u{10ffff}', '\uffee', 'a']) writeFileSync(join(directory, name), '1');
    const before = now();
    assert.deepEqual(before.paths, ['a', '\uffee', '\u{10ffff}']);
    assert.deepEqual(now(), before);
    const { atime, mtime } = statSync(join(directory, 'a'));
    utimesSync(join(directory, 'a'), atime, mtime);
    const dated = now();
    writeFileSync(join(directory, 'a'), '2');
    utimesSync(join(directory, 'a'), atime, mtime);
    assert.notEqual(now().digest, dated.digest);
    const fresh = now(Date.now());
    assert.notEqual(now(Date.now()).digest, fresh.digest, 'what is this new may change unseen');
  });

  test('links are followed, also by pattern, and never out of the directory', () => {
    symlinkSync('/src', join(root, 'absolute'));
    symlinkSync('../../../etc', join(root, 'out'));
    try {
      assert.deepEqual(followLinks(root, ['absolute/a.go']), ['absolute', 'src/a.go']);
      assert.deepEqual(followLinks(root, ['out']), ['etc', 'out']);
      assert.deepEqual(followLinks(root, ['l*']), ['l*', 'src/deep']);
    } finally {
      for (const name of ['absolute', 'out']) rmSync(join(root, name));
    }
  });
});

describe('outputs', () => {
  const plan = (outputs: string[], flags: Partial<Parameters<typeof planOutputs>[0]> = {}) =>
    planOutputs({
      outputs,
      load: false,
      push: false,
      tags: [],
      annotations: [],
      stdoutIsTerminal: false,
      ...flags,
    }).map(({ exporter, destination, push }) => [
      exporter.type,
      exporter.attributes,
      'path' in destination ? `${destination.type} ${destination.path}` : destination.type,
      ...(push ? ['push'] : []),
    ]);
  const rows: [outputs: string[], flags: Parameters<typeof plan>[1], planned: unknown[]][] = [
    [[], { tags: ['a', 'b:1'] }, ['moby', { name: 'a,b:1' }, 'daemon']],
    [[], { push: true, tags: ['a'] }, ['moby', { name: 'a' }, 'daemon', 'push']],
    [['out'], { tags: ['a'] }, ['tar', {}, 'directory out']],
    [['-'], {}, ['tar', {}, 'stdout']],
    [['type=docker'], { tags: ['a'] }, ['moby', { name: 'a' }, 'daemon']],
    [['type=oci,dest=x.tar,"name=a,b"'], {}, ['oci', { name: 'a,b' }, 'file x.tar']],
    [['type=oci,dest=d,tar=false'], {}, ['oci', {}, 'directory d']],
    [['type=registry,name=a'], {}, ['moby', { name: 'a' }, 'daemon', 'push']],
    [
      ['type=oci'],
      { annotations: ['k=v', 'manifest[linux/amd64],index:x=y'] },
      [
        'oci',
        { 'annotation.k': 'v', 'annotation-manifest[linux/amd64].x': 'y', 'annotation-index.x': 'y' },
        'stdout',
      ],
    ],
  ];
  for (const [outputs, flags, planned] of rows) {
    test(`${JSON.stringify(outputs)} ${JSON.stringify(flags)}`, () => {
      assert.deepEqual(plan(outputs, flags), [planned]);
    });
  }
  test('--load beside another output; both', () => {
    assert.deepEqual(plan(['out'], { load: true }).length, 2);
    assert.deepEqual(plan(['type=docker'], { load: true }).length, 1);
  });
  const refused: [outputs: string[], flags: Parameters<typeof plan>[1], message: string][] = [
    [['type=local'], {}, 'dest is required for local exporter'],
    [['type=local,dest=-'], {}, 'dest cannot be stdout for local exporter'],
    [['dest=x,a=b'], {}, 'type is required for output'],
    [['a,b'], {}, 'invalid value a'],
    [
      ['-'],
      { stdoutIsTerminal: true },
      'dest file is required for tar exporter. refusing to write to console',
    ],
    [['-', 'type=oci'], {}, 'multiple outputs configured to write to stdout'],
    [[], { push: true }, 'tag is needed when pushing to registry'],
    [[], { annotations: ['x'] }, 'parse annotations: invalid annotation "x", expected key=value'],
    [[], { annotations: ['what:x=y'] }, 'parse annotations: unknown annotation type "what"'],
  ];
  for (const [outputs, flags, message] of refused) {
    test(message, () => assert.throws(() => plan(outputs, flags), { message }));
  }
});

test('fields between commas', () => {
  assert.deepEqual(splitFields('a=b,"c=d,e","f=""g"""'), ['a=b', 'c=d,e', 'f="g"']);
  assert.throws(() => splitFields('a="b'), /parse error/);
});

test('secrets, agents, caches', () => {
  const env = { TOKEN: 't', both: 'b' };
  const secret = readSecrets(
    ['id=f,src=Dockerfile', 'id=e,env=TOKEN', 'id=both', 'type=env,id=TOKEN'],
    env,
    root,
  );
  assert.deepEqual(
    ['f', 'e', 'both', 'TOKEN', 'none'].map(id => secret(id)?.toString()),
    ['FROM x', 't', 'b', 't', undefined],
  );
  const faults: [string, string][] = [
    ['src=x', 'secret missing ID'],
    ['id=x,size=3', "unexpected key 'size' in 'id=x,size=3'"],
    ['id=none', 'failed to stat none: stat none: no such file or directory'],
  ];
  for (const [text, message] of faults) assert.throws(() => readSecrets([text], {}, root), { message });
  assert.throws(() => readAgents(['default'], {}, root), /make sure SSH_AUTH_SOCK is set/);

  assert.deepEqual(readCaches(['user/app:cache', 'type=inline', 'type=registry,ref=a,mode=max']), [
    { type: 'registry', attributes: { ref: 'user/app:cache' } },
    { type: 'inline', attributes: {} },
    { type: 'registry', attributes: { ref: 'a', mode: 'max' } },
  ]);
});

test('caches in directories: offered by their names, found by their tags', async () => {
  const said: string[] = [];
  const open = (from: string[], to: string[]) =>
    new LocalCaches({ from: readCaches(from), to: readCaches(to), workingDirectory: root }, text =>
      said.push(text),
    );
  const digest = `sha256:${'1'.repeat(64)}`;
  const written = open(
    [],
    ['type=local,dest=kept,mode=max', 'type=local,dest=kept2,tag=main', 'type=inline'],
  );
  assert.deepEqual(
    [...written.stores],
    ['kept', 'kept2'].map(name => [`local:${name}`, { directory: join(root, name), writable: true }]),
  );
  assert.equal(written.exports.length, 3);
  const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 5 };
  written.noteExported(new Map([['cache.manifest', JSON.stringify(descriptor)]]));
  written.noteExported(new Map([['cache.manifest', JSON.stringify({ ...descriptor, size: 6 })]]));
  const index = JSON.parse(readFileSync(join(root, 'kept2/index.json'), 'utf8'));
  const annotations = { 'org.opencontainers.image.ref.name': 'main' };
  assert.deepEqual(index.manifests, [{ ...descriptor, size: 6, annotations }]);

  const read = open(['type=local,src=kept', 'type=local,src=nowhere', 'user/app:cache'], []);
  assert.deepEqual(read.imports, [
    { type: 'local', attributes: { src: 'kept', digest } },
    { type: 'registry', attributes: { ref: 'user/app:cache' } },
  ]);
  assert.equal(read.stores.get('local:kept')?.writable, false);
  assert.match(
    said.join('\n'),
    /^local cache import at nowhere not found due to err: could not read .*no such file/,
  );
  assert.throws(() => open(['type=local,src=kept2'], []), /requires either explicit digest/);
  const inputs = await openInputs({
    ...{ place: '.', file: '', workingDirectory: root, input: () => assert.fail() },
    contexts: ['base=oci-layout://kept2', `B=oci-layout://kept2:x@${digest}`],
  });
  assert.deepEqual(
    ['base', 'b'].map(name => inputs.attributes[`context:${name}`]?.replace(/\/\/\w+/, '//id')),
    [`oci-layout://id:latest@${digest}`, `oci-layout://id:x@${digest}`],
  );
  assert.deepEqual(
    [...inputs.stores.values()].map(store => store.directory),
    [join(root, 'kept2'), join(root, 'kept2')],
  );
  assert.throws(() => open(['type=local'], []), { message: 'local cache importer requires src' });
  assert.throws(() => open([], ['type=local']), { message: 'local cache exporter requires dest' });
});

function message(init: InitOf<typeof statusResponse>) {
  return statusResponse.decode(statusResponse.encode(init));
}

const at = (seconds: number) => timestampOf(1_700_000_000_000 + seconds * 1000);

test('a build as lines', () => {
  let text = '';
  const display = new PlainDisplay(chunk => (text += chunk), 'building');
  const one = { digest: 'sha256:1', name: '[1/2] FROM busybox', started: at(0) };
  const two = { digest: 'sha256:2', name: '[2/2] RUN make', started: at(1) };
  display.add(message({ vertexes: [one, { digest: 'sha256:9', name: 'never begun' }] }));
  const pulled = { id: 'layer', vertex: 'sha256:1', current: 1_500_000, total: 3_000_000 };
  display.add(message({ statuses: [{ ...pulled, timestamp: at(0.5), started: at(0) }] }));
  display.add(message({ vertexes: [{ ...one, completed: at(0.7) }, two] }));
  display.add(
    message({
      logs: [
        { vertex: 'sha256:2', data: Buffer.from('first\nsec'), timestamp: at(1.25) },
        { vertex: 'sha256:2', data: Buffer.from('ond\n'), timestamp: at(2) },
      ],
      warnings: [{ vertex: 'sha256:2', short: Buffer.from('careful') }],
    }),
  );
  display.add(message({ vertexes: [{ ...two, completed: at(3), error: 'exit code: 2' }] }));
  display.end();
  assert.equal(
    text,
    [
      '#0 building',
      '',
      '#1 [1/2] FROM busybox',
      '#1 layer 1.50MB / 3.00MB 0.5s',
      '#1 ...',
      '',
      '#2 [2/2] RUN make',
      '#2 WARN: careful',
      '#2 0.250 first',
      '#2 0.250 second',
      '#2 ERROR: exit code: 2',
      '',
    ].join('\n'),
  );
  const failed = [...display.status.vertices.values()].find(vertex => vertex.error !== '');
  assert.deepEqual(failed?.lastLines, ['0.250 first', '0.250 second']);
  assert.equal(display.status.warnings.length, 1);
});

test('a build as JSON', () => {
  const lines: string[] = [];
  const display = new RawDisplay(line => lines.push(line));
  display.add(message({ vertexes: [{ digest: 'd', name: 'n', started: at(0) }] }));
  assert.deepEqual(lines, [
    '{"vertexes":[{"digest":"d","name":"n","started":"2023-11-14T22:13:20.000Z"}]}\n',
  ]);
});

test('what a linter answered', () => {
  const shown = (report: object, format = '', status = 1) => {
    let text = '';
    const out = { write: (chunk: string) => (text += chunk), line: (line: string) => (text += `${line}\n`) };
    const answer = new Map([
      ['result.json', Buffer.from(JSON.stringify(report))],
      ['result.statuscode', Buffer.from(String(status))],
    ]);
    return { status: printCheck(answer, format, { out: out as never }), text };
  };
  const sources = [{ filename: 'Dockerfile', data: Buffer.from('FROM x\n').toString('base64') }];
  const location = { ranges: [{ start: { line: 1 }, end: { line: 1 } }] };
  const warning = { ruleName: 'Rule', url: 'https://x', detail: 'It is.', location };
  const place = 'Dockerfile:1\n--------------------\n   1 | >>> FROM x\n   2 |     \n--------------------\n';
  assert.deepEqual(shown({ warnings: [warning], sources }), {
    status: 1,
    text: `Check complete, 1 warning has been found!\n\nWARNING: Rule - https://x\nIt is.\n${place}`,
  });
  assert.deepEqual(shown({ warnings: null, advice: [{ ...warning, url: '' }], sources }, '', 0), {
    status: 0,
    text: `Check complete, no warnings found.\n\nADVICE: Rule\nIt is.\n${place}`,
  });
  assert.equal(shown({ warnings: null }, 'json', 0).text, '{"warnings":null}\n');
  assert.throws(() => shown({ buildError: { message: 'no', location }, sources }), {
    message: `ERROR: no\n${place}`.trimEnd(),
  });
});
