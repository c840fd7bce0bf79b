import type { KeyParts } from '../cache.ts';

/** Why a step was taken from the cache, or why it was not: the one thing that decided. */
export type Reason =
  /** A hit: nothing it depends on has changed. `from` is the imported cache it came from. */
  | { kind: 'unchanged'; from?: string }
  /** Only the configuration is changed: there is nothing to run. */
  | { kind: 'configuration' }
  /** The same instruction has never been built here. */
  | { kind: 'first' }
  /** The caller wants nothing from the cache, or nothing for this stage. */
  | { kind: 'noCache' }
  /** It was built just so, and has been pruned since. */
  | { kind: 'pruned' }
  /** At this place stood another instruction. */
  | { kind: 'instruction'; before: string }
  /** FROM leads to another image than last time. */
  | { kind: 'base'; before: string; after: string }
  /** `more`: how many other files have changed. */
  | { kind: 'file'; path: string; change: FileChange; more: number; before?: string; after?: string }
  | { kind: 'argument' | 'environment'; name: string; before?: string; after?: string }
  /** Something else that is in the key, by the name people know it by: `USER`, `network`, `--chmod`. */
  | { kind: 'option'; name: string; before: string; after: string }
  /** The files below are others. `origin` is the step where that began, when it is in this build. */
  | { kind: 'parent'; origin?: StepOrigin };

export interface StepOrigin {
  /** Position among all steps, from 1. */
  number: number;
  /** The instruction as written. */
  text: string;
}

export type FileChange = 'added' | 'removed' | 'content' | 'attributes';

/** A file that a step reads, as far as it matters to the step. */
export interface InputFile {
  /** As it stands in its context or image. */
  path: string;
  /** The first 16 digits of the content's digest; '' for what has none. */
  digest: string;
  /** `755 0:0`, and where a link leads: for people. */
  attributes: string;
}

/** What a step's key was made of. */
export interface StepInputs {
  parts: KeyParts;
  parent: string | null;
  files: readonly InputFile[];
  /** Variables that came by ARG; the others came by ENV. */
  argumentNames: readonly string[];
}

/** What differs first: what belongs to the step itself comes before what is below it. */
export function compareInputs(before: StepInputs, after: StepInputs): Reason | undefined {
  return (
    compareVariables(before, after) ??
    compareFiles(before.files, after.files) ??
    compareParts(before.parts, after.parts) ??
    (before.parent === after.parent ? undefined : { kind: 'parent' })
  );
}

function compareVariables(before: StepInputs, after: StepInputs): Reason | undefined {
  const [old, now] = [variablesOf(before.parts), variablesOf(after.parts)];
  for (const name of new Set([...now.keys(), ...old.keys()])) {
    if (old.get(name) === now.get(name)) continue;
    const isArgument = after.argumentNames.includes(name) || before.argumentNames.includes(name);
    return {
      kind: isArgument ? 'argument' : 'environment',
      name,
      ...(old.has(name) ? { before: old.get(name)! } : {}),
      ...(now.has(name) ? { after: now.get(name)! } : {}),
    };
  }
  return undefined;
}

function variablesOf(parts: KeyParts): Map<string, string> {
  const env = parts['env'];
  if (!Array.isArray(env)) return new Map();
  return new Map(
    env.map((pair: string) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

/** Contents first: who edits a file rarely means its mode. */
function compareFiles(before: readonly InputFile[], after: readonly InputFile[]): Reason | undefined {
  const old = new Map(before.map(file => [file.path, file]));
  const now = new Map(after.map(file => [file.path, file]));
  const changes: { path: string; change: FileChange; before?: string; after?: string }[] = [];
  for (const file of after) {
    const was = old.get(file.path);
    if (was === undefined) changes.push({ path: file.path, change: 'added' });
    else if (was.digest !== file.digest) changes.push({ path: file.path, change: 'content' });
    else if (was.attributes !== file.attributes)
      changes.push({
        path: file.path,
        change: 'attributes',
        before: was.attributes,
        after: file.attributes,
      });
  }
  for (const { path } of before) if (!now.has(path)) changes.push({ path, change: 'removed' });
  const order: FileChange[] = ['content', 'added', 'removed', 'attributes'];
  const first = order.flatMap(kind => changes.find(({ change }) => change === kind) ?? [])[0];
  return first === undefined ? undefined : { kind: 'file', ...first, more: changes.length - 1 };
}

/** Names of key parts as they are written in a Dockerfile or on the command line. */
const optionNames: Readonly<Record<string, string>> = {
  args: 'SHELL',
  script: 'script',
  user: 'USER',
  workingDirectory: 'WORKDIR',
  network: 'network',
  extraHosts: '--add-host',
  ulimits: '--ulimit',
  shmSize: '--shm-size',
  platform: 'platform',
  mounts: '--mount',
  destination: 'destination',
  owner: '--chown',
  chownWanted: '--chown',
  chmod: '--chmod',
  parents: '--parents',
  security: '--security',
  epoch: 'SOURCE_DATE_EPOCH',
  sources: 'sources',
};

function compareParts(before: KeyParts, after: KeyParts): Reason | undefined {
  for (const name of new Set([...Object.keys(after), ...Object.keys(before)])) {
    const [old, now] = [textOf(before[name]), textOf(after[name])];
    if (old === now) continue;
    return { kind: 'option', name: optionNames[name] ?? name, before: old, after: now };
  }
  return undefined;
}

function textOf(value: KeyParts[string] | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : value.join(' ');
}

/** The reason as a sentence without a full stop. */
export function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case 'unchanged':
      return reason.from === undefined ? 'nothing it depends on has changed' : `imported from ${reason.from}`;
    case 'configuration':
      return 'only changes the configuration';
    case 'first':
      return 'never built here before';
    case 'noCache':
      return 'the cache was not to be used';
    case 'pruned':
      return 'its result has been pruned';
    case 'instruction':
      return `the instruction changed; it was ${reason.before}`;
    case 'base':
      return `the base image changed from ${shortId(reason.before)} to ${shortId(reason.after)}`;
    case 'file':
      return describeFile(reason);
    case 'argument':
      return describeVariable('build argument', reason);
    case 'environment':
      return describeVariable('variable', reason);
    case 'option':
      return `${reason.name} changed${fromTo(reason.before, reason.after)}`;
    case 'parent':
      return reason.origin === undefined
        ? 'the files below it are others'
        : `${shortened(reason.origin.text)}, on which it builds, was built anew`;
  }
}

function describeFile(reason: Reason & { kind: 'file' }): string {
  const what = {
    added: 'is new',
    removed: 'is gone',
    content: 'changed',
    attributes: `has other attributes${fromTo(reason.before ?? '', reason.after ?? '')}`,
  }[reason.change];
  const more = reason.more === 0 ? '' : `, and ${reason.more} more`;
  return `${reason.path} ${what}${more}`;
}

function describeVariable(
  what: string,
  { name, before, after }: Reason & { kind: 'argument' | 'environment' },
): string {
  if (before === undefined) return `${what} ${name} is new`;
  if (after === undefined) return `${what} ${name} is gone`;
  return `${what} ${name} changed${fromTo(before, after)}`;
}

/** Long values are no help to anybody. */
function fromTo(before: string, after: string): string {
  if (before.length + after.length > 100) return '';
  return ` from ${before === '' ? 'nothing' : before} to ${after === '' ? 'nothing' : after}`;
}

/** Scripts are long; their beginning says which one it is. */
function shortened(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length > 60 || line !== text ? `${line.slice(0, 60)}...` : line;
}

function shortId(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}
