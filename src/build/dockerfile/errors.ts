import { EngineError, type ErrorKind, messageOf } from '../../stdx/errors.ts';

/** Lines of a Dockerfile, from 1, both included. */
export interface LineRange {
  first: number;
  last: number;
}

/**
 * A fault at a place in a Dockerfile. The first line of the message is Docker's; file, line and an excerpt as
 * BuildKit's clients draw it follow.
 */
export class DockerfileError extends EngineError {
  readonly file: string;
  readonly lines: LineRange;
  /** The message without the excerpt. */
  readonly bare: string;

  constructor(kind: ErrorKind, bare: string, source: DockerfileSource, lines: LineRange, cause?: unknown) {
    super(kind, `${bare}\n${excerpt(source, lines)}`, { cause });
    this.bare = bare;
    this.file = source.file;
    this.lines = lines;
  }
}

export interface DockerfileSource {
  /** As the caller named it: `Dockerfile`, `docker/web.Dockerfile`. */
  file: string;
  text: string;
}

/** A fault found while the Dockerfile is read. */
export function parseError(source: DockerfileSource, lines: LineRange, message: string): DockerfileError {
  return new DockerfileError(
    'invalid',
    `dockerfile parse error line ${lines.first}: ${message}`,
    source,
    lines,
  );
}

/** Adds the place to an error met while an instruction was carried out; one that has a place keeps it. */
export function located(
  error: unknown,
  source: DockerfileSource,
  lines: LineRange,
  kind: ErrorKind,
): DockerfileError {
  if (error instanceof DockerfileError) return error;
  return new DockerfileError(kind, messageOf(error), source, lines, error);
}

const contextLines = 3;

/**
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM busybox
 *        2 | >>> FORM x
 *     --------------------
 */
export function excerpt(source: DockerfileSource, lines: LineRange): string {
  const all = source.text.split(/\r?\n/);
  if (all.at(-1) === '') all.pop();
  const from = Math.max(1, lines.first - contextLines);
  const to = Math.min(all.length, lines.last + contextLines);
  const rule = '-'.repeat(20);
  const shown = [`${source.file}:${lines.first}`, rule];
  for (let line = from; line <= to; line++) {
    const mark = line >= lines.first && line <= lines.last ? '>>>' : '   ';
    shown.push(`${String(line).padStart(4)} | ${mark} ${all[line - 1]}`.trimEnd());
  }
  shown.push(rule);
  return shown.join('\n');
}
