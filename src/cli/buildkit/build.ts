import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GrpcError } from '../../api/grpc/status.ts';
import { EngineError } from '../../stdx/errors.ts';
import { sourceExcerpt } from '../../stdx/source-excerpt.ts';
import type { Call } from '../command.ts';
import { Credentials, hubServer } from '../config/credentials.ts';
import { unpackInto } from '../copy/unpack.ts';
import { ExitError } from '../errors.ts';
import { watchFailedStep } from '../failed-step.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { pushReference } from '../push-image.ts';
import type { Session } from '../session.ts';
import { plainReason } from '../streams.ts';
import { readAgents } from './agents.ts';
import { LocalCaches, readCaches } from './caches.ts';
import { printCheck } from './check.ts';
import { buildFailure, FlagFault } from './faults.ts';
import { planAttestations, planAttributes, planEntitlements } from './frontend-attributes.ts';
import { openInputs, readSecrets } from './inputs.ts';
import { OfferedDirectories } from './offered-directories.ts';
import { type BuildOutput, planOutputs } from './outputs.ts';
import { PlainDisplay } from './plain-display.ts';
import { QuietDisplay, RawDisplay } from './raw-display.ts';
import { repositoryAttributes } from './repository.ts';
import type { Offers } from './services.ts';
import { ask, type Display, type SolveOptions, solve, sourcesOf } from './solve.ts';
import type { BuildStatus } from './status.ts';
import { TerminalDisplay } from './terminal-display.ts';

/**
 * A build by BuildKit's API, as buildx asks for one.
 * @param display shows how it goes, instead of what the flags ask for
 * @returns the exit status
 */
export async function buildWithBuildKit(call: Call, display?: Display): Promise<number> {
  try {
    return await build(call, display);
  } catch (error) {
    throw buildFailure(error);
  }
}

async function build(call: Call, given?: Display): Promise<number> {
  const { session, flags, args } = call;
  const { workingDirectory } = session.surroundings;
  const mode = given === undefined ? progressMode(call) : 'none';
  const outputs = planOutputs({
    outputs: flags.list('output'),
    load: flags.on('load'),
    push: flags.on('push'),
    tags: flags.list('tag'),
    annotations: flags.list('annotation'),
    stdoutIsTerminal: session.out.isTerminal,
  });
  const question = questionOf(call);
  const iidfile = flags.string('iidfile');
  if (iidfile !== '') rmSync(resolve(workingDirectory, iidfile), { force: true });
  const attributes = { ...(await planAttributes(call)), ...planAttestations(flags) };
  const inputs = await openInputs({
    place: args[0] ?? '',
    file: flags.string('file'),
    contexts: flags.list('build-context'),
    workingDirectory,
    input: () => session.input.stream(),
  });
  try {
    const caches = new LocalCaches(
      {
        from: readCaches(flags.list('cache-from')),
        to: readCaches(flags.list('cache-to')),
        workingDirectory,
      },
      text => session.err.line(`WARNING: ${text}`),
    );
    // Ends this program, and is not the daemon's to tell: nobody reads standard output any more.
    let ended: ExitError | undefined;
    const offers: Offers = {
      directories: new OfferedDirectories(inputs.directories, session.surroundings.walker),
      secret: readSecrets(flags.list('secret'), session.env, workingDirectory),
      agents: readAgents(flags.list('ssh'), session.env, workingDirectory),
      upload: inputs.upload,
      credentials: credentialsOf(session),
      receive: (index, content) =>
        receive(outputs[index], content, session).catch(error => {
          if (error instanceof ExitError) ended = error;
          throw error;
        }),
      stores: new Map([...caches.stores, ...inputs.stores]),
    };
    const context = inputs.directories.get('context');
    const local = context !== undefined && args[0] !== '-';
    const dockerfile = join(inputs.directories.get('dockerfile') ?? '', inputs.attributes['filename'] ?? '');
    const committed = local ? await repositoryAttributes(context, dockerfile, session.env) : {};
    const options: SolveOptions = {
      attributes: { ...attributes, ...inputs.attributes, ...committed },
      exporters: outputs.map(output => output.exporter),
      cacheImports: caches.imports,
      cacheExports: caches.exports,
      entitlements: planEntitlements(flags),
      sharedKey: inputs.sharedKey,
      offers,
    };
    const client = await session.client();
    if (question !== undefined) {
      const answer = await told(() => ask(client, question.id, options), session, { shown: false });
      return printAnswer(question, answer, session);
    }
    if (flags.on('explain')) options.attributes['gantry.explain'] = '1';
    const watch = await watchFailedStep(call);
    if (watch !== undefined) options.attributes['gantry.hold-failed'] = watch.token;
    const display = given ?? openDisplay(mode, session);
    const shown = mode === 'plain' || mode === 'tty';
    const { status } = display;
    const solved = solve(client, options, display)
      .catch(error => {
        throw ended ?? error;
      })
      .finally(() => watch?.end());
    const answer = await told(() => solved, session, { status, shown });
    caches.noteExported(answer);
    if (shown) printWarnings(status, session);
    await pushImages(outputs, session, shown);
    const imageId = answer.get('containerimage.config.digest') ?? answer.get('containerimage.digest') ?? '';
    if (mode === 'quiet') session.out.line(imageId);
    if (iidfile !== '') write('writing image ID file', iidfile, imageId, session);
    const metadata = flags.string('metadata-file');
    if (metadata !== '') write('writing metadata file', metadata, metadataText(answer), session);
    return 0;
  } finally {
    inputs.close();
  }
}

type Mode = 'plain' | 'tty' | 'quiet' | 'none' | 'rawjson';

/** `none` draws nothing and tells nothing at the end either. */
function progressMode({ session, flags }: Call): Mode {
  const asked = flags.changed('progress')
    ? flags.string('progress')
    : session.env['BUILDKIT_PROGRESS'] || flags.string('progress');
  if (flags.on('quiet') && asked !== 'auto' && asked !== 'quiet')
    throw new FlagFault(`progress=${asked} and quiet cannot be used together`);
  if (flags.on('quiet')) return 'quiet';
  // A display that draws itself anew would draw over the shell, and take back the explanations.
  const lasting = flags.changed('on-error') || flags.on('explain');
  if (asked === 'auto') return session.err.isTerminal && !lasting ? 'tty' : 'plain';
  if (asked === 'tty' && !session.err.isTerminal)
    throw new FlagFault('failed to get console: provided file is not a console');
  return asked as Mode;
}

function openDisplay(mode: Mode, { err }: Session): Display {
  const place = 'docker:default';
  switch (mode) {
    case 'tty':
      return new TerminalDisplay(err, place);
    case 'plain':
      return new PlainDisplay(
        text => err.write(text),
        'building with "default" instance using docker driver',
      );
    case 'rawjson':
      return new RawDisplay(text => err.write(text));
    case 'quiet':
    case 'none':
      return new QuietDisplay();
  }
}

/** `--check`, `--call=check,format=json`, `--call=outline` */
function questionOf({ flags }: Call): { id: string; format: string } | undefined {
  const [method = '', ...fields] = (flags.on('check') ? 'check' : flags.string('call')).split(',');
  if (method === 'build' || method === '') return undefined;
  const format = fields.find(field => field.startsWith('format='))?.slice('format='.length) ?? '';
  return { id: method === 'check' ? 'frontend.lint' : `frontend.${method}`, format };
}

/** What a frontend has answered, as it is to be read. @returns the exit status */
function printAnswer(
  { id, format }: { id: string; format: string },
  answer: ReadonlyMap<string, Buffer>,
  session: Session,
): number {
  if (id === 'frontend.lint') return printCheck(answer, format, session);
  const [json, text] = ['result.json', 'result.txt'].map(name => answer.get(name)?.toString());
  if (json === undefined) throw new EngineError('unavailable', `the daemon has not answered ${id}`);
  if (format === 'json' || text === undefined) session.out.line(json);
  else session.out.write(text);
  return Number(answer.get('result.statuscode')?.toString() ?? 0);
}

function credentialsOf(session: Session): Offers['credentials'] {
  const store = new Credentials(session.configDirectory, session.config());
  return host => {
    const server = host === 'registry-1.docker.io' || host === 'docker.io' ? hubServer : host;
    const { username, password, identitytoken } = store.get(server);
    // A token goes alone, by which the daemon knows that it is one.
    if (identitytoken !== undefined && identitytoken !== '') return { username: '', secret: identitytoken };
    return username === undefined ? undefined : { username, secret: password ?? '' };
  };
}

/** Puts what an exporter sends where the command line wants it. */
async function receive(
  output: BuildOutput | undefined,
  content: AsyncIterable<Uint8Array>,
  { out, surroundings }: Session,
): Promise<void> {
  const at = (path: string): string =>
    isAbsolute(path) ? path : resolve(surroundings.workingDirectory, path);
  switch (output?.destination.type) {
    case 'file': {
      const path = at(output.destination.path);
      await pipeline(Readable.from(content), createWriteStream(path)).catch(error => {
        if (error.syscall === undefined) throw error;
        throw new EngineError('invalid', `${error.syscall} ${path}: ${plainReason(error)}`);
      });
      return;
    }
    case 'stdout':
      for await (const chunk of content) out.write(chunk);
      return;
    case 'directory': {
      const path = at(output.destination.path);
      mkdirSync(path, { recursive: true });
      await unpackInto(path, content, name => name, { owners: process.getuid?.() === 0 });
      return;
    }
    default:
      throw new EngineError('invalid', 'the daemon sent an archive that was not asked for');
  }
}

/** What went wrong, as docker tells it: the failed step's last lines, the place in the Dockerfile, the reason. */
async function told<T>(
  work: () => Promise<T>,
  session: Session,
  { status, shown }: { status?: BuildStatus; shown: boolean },
): Promise<T> {
  const { err } = session;
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    for (const vertex of status?.vertices.values() ?? []) {
      if (vertex.error === '' || vertex.error.endsWith('context canceled')) continue;
      const lines = [...vertex.lastLines, ...(vertex.partial === '' ? [] : [vertex.partial])];
      err.write(['------', ` > ${vertex.name}:`, ...lines, '------', ''].join('\n'));
    }
    if (status !== undefined && shown) printWarnings(status, session);
    for (const { file, text, lines } of sourcesOf(error)) err.write(sourceExcerpt(file, text, lines));
    throw new ExitError(1, `ERROR: failed to build: failed to solve: ${error.message}`);
  }
}

function printWarnings({ warnings }: BuildStatus, { err }: Session): void {
  if (warnings.length === 0) return;
  const count = warnings.length === 1 ? '1 warning found' : `${warnings.length} warnings found`;
  const head = `${count} (use --check to expand):\n`;
  err.write(`\n ${err.isTerminal ? `\x1b[33m${head}\x1b[0m` : head}`);
  for (const { short } of warnings) err.line(` - ${short}`);
}

/** The names are the daemon's now, and it sends them as `push` does. */
async function pushImages(outputs: readonly BuildOutput[], session: Session, shown: boolean): Promise<void> {
  for (const { exporter, push } of outputs) {
    if (!push) continue;
    for (const name of exporter.attributes['name']!.split(',')) {
      await pushReference(session, name, new ProgressDisplay(session.err, { quiet: !shown }));
    }
  }
}

function write(what: string, path: string, text: string, { surroundings }: Session): void {
  try {
    writeFileSync(resolve(surroundings.workingDirectory, path), text);
  } catch (error) {
    throw new FlagFault(`${what}: open ${path}: ${plainReason(error)}`);
  }
}

/** As buildx writes it: values that are JSON in base64 are JSON. */
function metadataText(answer: ReadonlyMap<string, string>): string {
  const entries = [...answer]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, plain(value)]);
  return JSON.stringify(Object.fromEntries(entries), undefined, 2);
}

function plain(value: string): unknown {
  if (!/^[A-Za-z0-9+/]+=*$/.test(value)) return value;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value, 'base64').toString());
    return typeof parsed === 'object' && parsed !== null ? parsed : value;
  } catch {
    // A digest or a name.
    return value;
  }
}
