import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { encodeEnd, encodeHeader, encodePadding } from '../../archive/tar-writer.ts';
import { IgnoreRules, type IgnoreState } from '../../build/patterns/ignore.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { packTree } from '../copy/pack.ts';
import { plainReason } from '../streams.ts';

export interface BuildContext {
  body?: AsyncIterable<Uint8Array>;
  /** Name of the Dockerfile in the archive. */
  dockerfile: string;
  /** What the daemon fetches itself. */
  remote?: string;
  /** There is nothing but this Dockerfile. */
  lone?: string;
}

/**
 * The context as the daemon wants it: a directory without what .dockerignore names, an archive or a lone Dockerfile on
 * stdin, or an address the daemon fetches from.
 *
 * @param file `--file`: '' for the usual one, `-` for a Dockerfile on stdin beside a directory
 */
export async function openContext(
  place: string,
  file: string,
  { workingDirectory, input }: { workingDirectory: string; input: () => AsyncIterable<Buffer> },
): Promise<BuildContext> {
  if (place === '-') {
    if (file === '-')
      throw new EngineError(
        'invalid',
        "invalid argument: can't use stdin for both build context and dockerfile",
      );
    return fromStdin(input(), file);
  }
  if (/^(https?:\/\/|git:\/\/|git@|github\.com\/)/.test(place))
    return { remote: place, dockerfile: file || 'Dockerfile' };
  const directory = resolve(workingDirectory, place);
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new EngineError('invalid', `unable to prepare context: path ${JSON.stringify(place)} not found`);
  if (!stat.isDirectory())
    throw new EngineError('invalid', `unable to prepare context: context must be a directory: ${directory}`);
  if (file === '-') return withDockerfile(directory, await wholeText(input()));
  return fromDirectory(directory, file, workingDirectory);
}

function fromDirectory(directory: string, file: string, workingDirectory: string): BuildContext {
  const path =
    file === ''
      ? resolve(directory, 'Dockerfile')
      : isAbsolute(file)
        ? file
        : resolve(workingDirectory, file);
  if (!existsSync(path)) {
    throw new EngineError(
      'invalid',
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    );
  }
  const dockerfile = relative(directory, path);
  // A Dockerfile from elsewhere travels in the archive under a name nobody uses.
  if (dockerfile.startsWith('..')) return withDockerfile(directory, readFileSync(path, 'utf8'));
  return { body: packContext(directory, dockerfile), dockerfile };
}

async function* packContext(directory: string, dockerfile: string): AsyncGenerator<Buffer> {
  yield* packTree(directory, {
    top: '',
    includes: contextFilter(directory, dockerfile),
    owner: { uid: 0, gid: 0 },
  });
}

/** What is sent: the daemon needs the Dockerfile and .dockerignore also when they are ignored themselves. */
function contextFilter(
  directory: string,
  dockerfile: string,
): (path: string, isDirectory: boolean) => boolean {
  const rules = readRules(directory, dockerfile);
  if (rules.isEmpty) return () => true;
  const states = new Map<string, IgnoreState>();
  const needed = [dockerfile, '.dockerignore', `${dockerfile}.dockerignore`];
  return (path, isDirectory) => {
    const { ignored, state } = rules.step(
      path,
      states.get(path.slice(0, Math.max(0, path.lastIndexOf('/')))),
    );
    if (isDirectory) states.set(path, state);
    if (!ignored || needed.includes(path)) return true;
    // Something below may be taken back in by a `!` rule, or be needed.
    return isDirectory && (rules.hasExceptions || needed.some(name => name.startsWith(`${path}/`)));
  };
}

function readRules(directory: string, dockerfile: string): IgnoreRules {
  for (const name of [`${dockerfile}.dockerignore`, '.dockerignore']) {
    const path = resolve(directory, name);
    if (!existsSync(path)) continue;
    try {
      return IgnoreRules.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new EngineError('invalid', `error reading ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  return new IgnoreRules([]);
}

const strayDockerfile = '.dockerfile.from-outside';

/** The directory, and a Dockerfile that is not in it. */
function withDockerfile(directory: string, text: string): BuildContext {
  async function* body(): AsyncGenerator<Buffer> {
    yield* fileEntry(strayDockerfile, Buffer.from(text));
    yield* packContext(directory, strayDockerfile);
  }
  return { body: body(), dockerfile: strayDockerfile };
}

/** An archive is known by its magic; anything else is a Dockerfile without a context. */
async function fromStdin(input: AsyncIterable<Buffer>, file: string): Promise<BuildContext> {
  const chunks = input[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  let ended = false;
  while (start.length < 512 && !ended) {
    const { value, done } = await chunks.next();
    if (done) ended = true;
    else start = Buffer.concat([start, value]);
  }
  async function* rest(): AsyncGenerator<Buffer> {
    yield start;
    while (!ended) {
      const { value, done } = await chunks.next();
      if (done) return;
      yield value;
    }
  }
  if (isArchive(start)) return { body: rest(), dockerfile: file || 'Dockerfile' };
  if (file !== '')
    throw new EngineError(
      'invalid',
      'unable to prepare context: ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles',
    );
  const text = await wholeText(rest());
  if (text.trim() === '')
    throw new EngineError('invalid', 'unable to prepare context: context from stdin is empty');
  async function* lone(): AsyncGenerator<Buffer> {
    yield* fileEntry('Dockerfile', Buffer.from(text));
    yield encodeEnd();
  }
  return { body: lone(), dockerfile: 'Dockerfile', lone: text };
}

function isArchive(start: Buffer): boolean {
  const magic = start.toString('latin1', 0, 6);
  const compressed = ['\x1f\x8b', 'BZh', '\xfd7zXZ\0', '\x28\xb5\x2f\xfd'].some(known =>
    magic.startsWith(known),
  );
  return compressed || start.toString('latin1', 257, 262) === 'ustar';
}

function* fileEntry(name: string, content: Buffer): Generator<Buffer> {
  yield encodeHeader({ name, type: 'file', size: content.length, mode: 0o644 });
  yield content;
  yield encodePadding(content.length);
}

export async function wholeText(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of source) chunks.push(chunk);
  } catch (error) {
    throw new EngineError('invalid', `failed to read from stdin: ${plainReason(error)}`, { cause: error });
  }
  return Buffer.concat(chunks).toString();
}
