import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileDigestService, fileSyncHeader, smallFilesService } from '../../api/buildkit/filesync.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import { OfferedDirectories } from './offered-directories.ts';

/** A call with one message. @returns what is answered */
async function answerOf(
  handle: (call: GrpcCall) => Promise<void>,
  message: Buffer,
  metadata: [string, string[]][] = [],
): Promise<Buffer> {
  const answers: Uint8Array[] = [];
  await handle({
    metadata: new Map(metadata),
    signal: new AbortController().signal,
    messages: (async function* () {
      yield message;
    })(),
    send: async answer => void answers.push(answer),
    sendAll: async () => assert.fail('not asked for'),
  });
  return Buffer.concat(answers);
}

/** A directory with a Dockerfile; everything else is empty. */
function contextWith(dockerfile: string, names: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-offered-'));
  after(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, 'Dockerfile'), dockerfile);
  for (const name of names) writeFileSync(join(root, name), '');
  return root;
}

const offered = (root: string) =>
  new OfferedDirectories(
    new Map([
      ['context', root],
      ['dockerfile', root],
    ]),
  );

describe('small files', () => {
  const { request, response } = smallFilesService.read;
  const root = contextWith('FROM a\n', ['.dockerignore']);
  mkdirSync(join(root, 'directory'));
  writeFileSync(join(root, 'directory/file'), 'x');
  symlinkSync('directory/file', join(root, 'link'));
  symlinkSync('/etc/passwd', join(root, 'out'));

  test('are those that are there, and no others', async () => {
    const names = [
      'Dockerfile',
      'none',
      '.dockerignore',
      'directory',
      'directory/file',
      '../x',
      'link',
      'out',
      '',
    ];
    const files = names.map(name => ({ directory: 'context', name }));
    const answer = await answerOf(call => offered(root).read(call), request.encode({ files }));
    const found = response.decode(answer).files.map(({ found, data }) => (found ? data.toString() : '-'));
    assert.deepEqual(found, ['FROM a\n', '-', '', '-', '-', '-', 'x', '-', '-']);
  });

  test('of other directories are refused', async () => {
    const files = [{ directory: 'other', name: 'Dockerfile' }];
    const message = 'no access allowed to dir "other"';
    await assert.rejects(
      answerOf(call => offered(root).read(call), request.encode({ files })),
      { message },
    );
  });
});

describe('a digest that is begun before it is asked for', () => {
  /** The names in a digest of what was there when the build began, or came later. */
  const namesAfter = async (dockerfile: string, exclude: string[], ignore = '') => {
    const root = contextWith(dockerfile, ['a', 'b']);
    if (ignore !== '') writeFileSync(join(root, '.dockerignore'), ignore);
    const directories = offered(root);
    directories.begin('Dockerfile');
    await turn();
    writeFileSync(join(root, 'later'), '');
    const metadata: [string, string[]][] = [[fileSyncHeader.directory, ['context']]];
    if (exclude.length > 0) metadata.push([fileSyncHeader.exclude, exclude]);
    const ask = async () => {
      const answer = await answerOf(call => directories.digest(call), Buffer.alloc(0), metadata);
      const { digest } = fileDigestService.digest.response.decode(answer);
      return digest.toString('latin1').split('\0');
    };
    const names = await ask();
    assert.ok((await ask()).includes('later'), 'what was begun is told once');
    return ['a', 'b', 'later'].filter(name => names.includes(name));
  };

  test('is what the daemon gets', async () => {
    assert.deepEqual(await namesAfter('FROM x\nCOPY . /\n', []), ['a', 'b']);
    assert.deepEqual(await namesAfter('FROM x\nRUN --mount=type=bind,target=. ls\n', []), ['a', 'b']);
    assert.deepEqual(await namesAfter('FROM x\nADD . /\n', ['b'], '# text\nb\n'), ['a']);
  });

  test('is not, when the daemon asks for something else', async () => {
    assert.deepEqual(await namesAfter('FROM x\nCOPY . /\n', ['a']), ['b', 'later']);
  });

  test('is not begun for nothing', async () => {
    assert.deepEqual(await namesAfter('FROM x\nCOPY --from=y . /\n', []), ['a', 'b', 'later']);
  });
});
