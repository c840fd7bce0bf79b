import { type DockerfileSource, parseError } from './errors.ts';
import { type Heredoc, heredocsOf } from './heredoc.ts';

/** One instruction, continuation lines joined, comments between them dropped. */
export interface LogicalLine {
  text: string;
  first: number;
  last: number;
  /** Bodies of the heredocs the line opens, in its order. */
  heredocs: Heredoc[];
}

export interface DockerfileLines {
  directives: Record<string, string>;
  /** The escape character of this file: `\` or `` ` ``. */
  escapeToken: string;
  lines: LogicalLine[];
  /** Instructions with an empty line inside, which the parser drops and warns of. */
  emptyContinuations: string[];
}

const directivePattern = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const knownDirectives = new Set(['escape', 'syntax', 'check']);

/**
 * Cuts a Dockerfile into instructions (docs.docker.com/reference/dockerfile, "Format", "Parser directives").
 * @throws DockerfileError for a bad directive or an open heredoc.
 */
export function readLines(source: DockerfileSource): DockerfileLines {
  const physical = source.text.replace(/^\uFEFF/, '').split('\n');
  if (physical.at(-1) === '') physical.pop();
  const directives = readDirectives(source, physical);
  const escapeToken = directives['escape'] ?? '\\';
  const lines: LogicalLine[] = [];
  const emptyContinuations: string[] = [];
  for (let at = 0; at < physical.length; ) {
    if (isComment(physical[at]!) || physical[at]!.trim() === '') {
      at++;
      continue;
    }
    const { text, next, hasEmpty } = joinContinued(physical, at, escapeToken);
    if (hasEmpty) emptyContinuations.push(text);
    const line: LogicalLine = { text, first: at + 1, last: next, heredocs: [] };
    at = takeHeredocs(source, physical, line, next, escapeToken);
    line.last = at;
    if (line.text.trim() !== '') lines.push(line);
  }
  return { directives, escapeToken, lines, emptyContinuations };
}

/** Directives stand at the very top; the first other line ends them. */
function readDirectives(source: DockerfileSource, physical: string[]): Record<string, string> {
  const directives: Record<string, string> = {};
  for (const [index, line] of physical.entries()) {
    const match = directivePattern.exec(line.trim());
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || !knownDirectives.has(name)) break;
    const lines = { first: index + 1, last: index + 1 };
    if (name in directives) throw parseError(source, lines, `only one ${name} parser directive can be used`);
    const value = match[2]!;
    if (name === 'escape' && value !== '\\' && value !== '`')
      throw parseError(source, lines, `invalid escape token '${value}' does not match \` or \\`);
    directives[name] = value;
  }
  return directives;
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line);
}

/**
 * Joins the line at `at` with those it continues on. Comments and empty lines inside are dropped, as the classic
 * parser always did (BuildKit too, with a warning).
 */
function joinContinued(
  physical: string[],
  at: number,
  escapeToken: string,
): { text: string; next: number; hasEmpty: boolean } {
  let text = '';
  let hasEmpty = false;
  let continued = true;
  let next = at;
  for (; next < physical.length && continued; next++) {
    const line = physical[next]!;
    if (next > at && isComment(line)) continue;
    if (next > at && line.trim() === '') {
      hasEmpty = true;
      continue;
    }
    const whole = (next === at ? line.trimStart() : line).replace(/\r$/, '');
    const cut = continuationAt(whole, escapeToken);
    continued = cut >= 0;
    text += continued ? whole.slice(0, cut) : whole;
  }
  return { text: text.trimEnd(), next, hasEmpty };
}

/** Index of a trailing escape character that is not itself escaped, -1 when the line ends here. */
function continuationAt(line: string, escapeToken: string): number {
  const trimmed = line.replace(/[ \t]+$/, '');
  if (!trimmed.endsWith(escapeToken)) return -1;
  return trimmed.at(-2) === escapeToken ? -1 : trimmed.length - 1;
}

/** Reads the bodies that follow a line with `<<EOF`. @returns index of the first line after them. */
function takeHeredocs(
  source: DockerfileSource,
  physical: string[],
  line: LogicalLine,
  next: number,
  escapeToken: string,
): number {
  for (const opened of heredocsOf(line.text, escapeToken)) {
    const body: string[] = [];
    for (;;) {
      if (next >= physical.length) {
        throw parseError(source, { first: line.first, last: line.first }, 'unterminated heredoc');
      }
      const content = physical[next++]!;
      const bare = content.replace(/\r$/, '');
      if ((opened.chomp ? bare.replace(/^\t+/, '') : bare) === opened.name) break;
      body.push(opened.chomp ? content.replace(/^\t+/, '') : content);
    }
    line.heredocs.push({ ...opened, content: body.map(text => `${text}\n`).join('') });
  }
  return next;
}
