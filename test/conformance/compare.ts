import { isDeepStrictEqual } from 'node:util';
import type { DetailedStep, Difference } from './scenario.ts';

/** What one step said on one side, normalised. */
export interface Answer {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The differences between two answers to one step, as lines for a person; none means they agree. */
export function compareAnswers(step: DetailedStep, reference: Answer, gantry: Answer): string[] {
  if (step.setup) return gantry.code === 0 ? [] : [`setting up failed with ${gantry.code}: ${gantry.stderr}`];
  if (step.differs) return compareWithDifference(step.differs, gantry);
  const wanted = step.compare ?? ['stdout', 'stderr', 'code'];
  const found: string[] = [];
  if (wanted.includes('code') && reference.code !== gantry.code) {
    found.push(
      `exit code: reference ${reference.code}, gantry ${gantry.code}${gantry.code ? ` (${gantry.stderr.trim()})` : ''}`,
    );
  }
  if (wanted.includes('stdout')) {
    if (step.json) found.push(...compareJsonText(reference.stdout, gantry.stdout, step.ignore ?? []));
    else
      found.push(
        ...compareText(
          'stdout',
          order(step, acceptable(reference.stdout, gantry.stdout)),
          order(step, gantry.stdout),
        ),
      );
  }
  if (wanted.includes('stderr') && !(step.goesOn && gantry.stderr.startsWith(reference.stderr.trimEnd()))) {
    found.push(...compareText('stderr', reference.stderr, gantry.stderr));
  }
  return found;
}

function compareWithDifference(differs: Difference, gantry: Answer): string[] {
  const found: string[] = [];
  if (differs.code !== undefined && gantry.code !== differs.code) {
    found.push(`exit code: wanted ${differs.code}, gantry ${gantry.code} (${gantry.stderr.trim()})`);
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const pattern = differs[stream];
    if (pattern && !pattern.test(gantry[stream]))
      found.push(`${stream}: wanted ${pattern}, gantry ${quote(gantry[stream])}`);
  }
  return found;
}

/** A raw request that is wrong was a 500 for dockerd 20.10 in many places; newer versions say 400, as they should. */
function acceptable(reference: string, gantry: string): string {
  return gantry.endsWith('\n400\n') ? reference.replace(/\n500\n$/, '\n400\n') : reference;
}

function order(step: DetailedStep, text: string): string {
  return step.sorted ? text.split('\n').sort().join('\n') : text;
}

function compareText(stream: string, reference: string, gantry: string): string[] {
  // Columns are as wide as what was blanked in them.
  const squeeze = (text: string): string =>
    text
      .replace(/ {2,}/g, '  ')
      .replace(/[ \t]+$/gm, '')
      .trimEnd();
  if (squeeze(reference) === squeeze(gantry)) return [];
  return [`${stream}:\n      reference ${quote(reference)}\n      gantry    ${quote(gantry)}`];
}

function quote(text: string): string {
  const shown = text.length > 3000 ? `${text.slice(0, 3000)}…` : text;
  return JSON.stringify(shown).replaceAll('\\n', '\n                ');
}

function compareJsonText(reference: string, gantry: string, ignore: readonly string[]): string[] {
  let parsed: unknown[];
  try {
    parsed = [reference, gantry].map(text => parseJson(text));
  } catch (error) {
    return [
      `stdout is not JSON on one side (${error}):\n      reference ${quote(reference)}\n      gantry    ${quote(gantry)}`,
    ];
  }
  return compareJson(parsed[0], parsed[1], ignore.map(pathPattern));
}

/** One JSON value, or one for each line as `--format '{{json .}}'` prints, or a raw answer with its status. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text
      .split('\n')
      .filter(line => line.trim())
      .map(line => JSON.parse(line));
  }
}

function pathPattern(path: string): RegExp {
  const parts = path
    .split('.')
    .map(part => (part === '*' ? '[^.]+' : part.replace(/[$^[\]()+?|\\]/g, '\\$&')));
  return new RegExp(`(?:^|\\.)${parts.join('\\.')}$`);
}

/** Values of these keys differ from daemon to daemon; only their type is compared. */
const opaque =
  /(?:^|\.)(?:Id|ID|Created|CreatedAt|Pid|SandboxID|SandboxKey|EndpointID|NetworkID|MacAddress|IPAddress|Gateway|GlobalIPv6Address|LogPath|ResolvConfPath|HostnamePath|HostsPath|GraphDriver|Size|VirtualSize|SharedSize|LayersSize|Mountpoint|LowerDir|timeNano|time|LogConfig|Runtime|DockerVersion|Driver)$/;

/** Keys that API 1.42 removed. */
const gone = /(?:^|\.)(?:KernelMemory|KernelMemoryTCP)$/;

export function compareJson(
  reference: unknown,
  gantry: unknown,
  ignore: readonly RegExp[],
  path = '',
): string[] {
  if (path && ignore.some(pattern => pattern.test(path))) return [];
  if (typeOf(reference) !== typeOf(gantry))
    return [`${path}: reference ${show(reference)}, gantry ${show(gantry)}`];
  if (opaque.test(path)) return [];
  if (Array.isArray(reference) && Array.isArray(gantry)) {
    if (reference.length !== gantry.length)
      return [`${path}: reference ${show(reference)}, gantry ${show(gantry)}`];
    return reference.flatMap((value, index) =>
      compareJson(value, gantry[index], ignore, join(path, String(index))),
    );
  }
  if (typeOf(reference) === 'object') {
    const right = gantry as Record<string, unknown>;
    return Object.entries(reference as Record<string, unknown>).flatMap(([key, value]) => {
      const at = join(path, key);
      if (gone.test(at)) return [];
      if (ignore.some(pattern => pattern.test(at))) return [];
      return key in right
        ? compareJson(value, right[key], ignore, at)
        : [`${at}: missing, reference ${show(value)}`];
    });
  }
  return isDeepStrictEqual(reference, gantry)
    ? []
    : [`${path}: reference ${show(reference)}, gantry ${show(gantry)}`];
}

function join(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
