import { splitRaw } from './words.ts';

/** `<<EOF`, `<<-EOF` (leading tabs dropped), `<<"EOF"` (no variables in it). */
export interface HeredocStart {
  name: string;
  /** The file descriptor of `3<<EOF`; '' for none. */
  descriptor: string;
  chomp: boolean;
  expand: boolean;
}

export interface Heredoc extends HeredocStart {
  /** Lines with their newlines; leading tabs are gone when `chomp`. */
  content: string;
}

const withHeredocs = /^(ONBUILD\s+)?(ADD|COPY|RUN)\s/i;
const heredocPattern = /^(\d*)<<(-?)([^<]*)$/;

/** The heredocs a joined instruction line opens; only RUN, COPY and ADD (also after ONBUILD) can. */
export function heredocsOf(line: string, escapeToken: string): HeredocStart[] {
  if (!withHeredocs.test(line)) return [];
  const found: HeredocStart[] = [];
  for (const word of splitRaw(line, escapeToken)) {
    const start = parseHeredocWord(word);
    if (start !== undefined) found.push(start);
  }
  return found;
}

/** Reads one word: `<<-"EOF"`; undefined when it opens no heredoc. */
export function parseHeredocWord(word: string): HeredocStart | undefined {
  const match = heredocPattern.exec(word);
  if (match === null) return undefined;
  const quoted = match[3]!;
  // White space is part of the name where it is quoted.
  if (splitRaw(quoted, '\\').length !== 1) return undefined;
  const name = quoted.replace(/(["'])(.*?)\1/g, '$2').replaceAll('\\', '');
  if (name === '' || /["']/.test(name)) return undefined;
  return { name, descriptor: match[1]!, chomp: match[2] === '-', expand: name === quoted };
}
