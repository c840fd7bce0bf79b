import type { LineRange } from '../dockerfile/errors.ts';

/** What a comment before an instruction says of a name: the line that begins with it, without it. */
export function descriptionOf(name: string, comments: readonly string[] | undefined): string | undefined {
  if (name === '') return undefined;
  return comments?.find(line => line.startsWith(`${name} `))?.slice(name.length + 1);
}

/** As BuildKit's messages have it in JSON: what is 0 is left out. */
export interface OutlineLocation {
  ranges: { start: { line: number }; end: { line: number } }[];
}

export function locationOf({ first, last }: LineRange): OutlineLocation {
  return { ranges: [{ start: { line: first }, end: { line: last } }] };
}
