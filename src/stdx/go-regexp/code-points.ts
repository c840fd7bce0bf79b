/** A set of characters, asked one code point at a time. */
export type CodePoints = (codePoint: number) => boolean;

export function single(wanted: number): CodePoints {
  return codePoint => codePoint === wanted;
}

export function range(first: number, last: number): CodePoints {
  return codePoint => codePoint >= first && codePoint <= last;
}

export function union(sets: readonly CodePoints[]): CodePoints {
  return codePoint => sets.some(has => has(codePoint));
}

export function complement(has: CodePoints): CodePoints {
  return codePoint => !has(codePoint);
}

/** Under `(?i)`: a character is in the set when it is, or when it is once written large or small. */
export function foldingCase(has: CodePoints): CodePoints {
  return codePoint => {
    if (has(codePoint)) return true;
    const text = String.fromCodePoint(codePoint);
    return [text.toLowerCase(), text.toUpperCase()].some(other => {
      const [first, more] = other;
      return more === undefined && first !== undefined && has(first.codePointAt(0)!);
    });
  };
}

/** Of ranges written together: `09AZaz__` is what `\w` means. */
function ranges(pairs: string): CodePoints {
  const points = [...pairs].map(character => character.codePointAt(0)!);
  const sets: CodePoints[] = [];
  for (let at = 0; at < points.length; at += 2) sets.push(range(points[at]!, points[at + 1]!));
  return union(sets);
}

/** Perl's, of ASCII alone: `\v` is no space here. */
export const perlClasses: Readonly<Record<string, CodePoints>> = {
  d: ranges('09'),
  s: ranges('\t\n\f\r  '),
  w: ranges('09AZaz__'),
};

/** What stands in `[[:name:]]`. */
export const posixClasses: Readonly<Record<string, CodePoints>> = {
  alnum: ranges('09AZaz'),
  alpha: ranges('AZaz'),
  ascii: ranges('\0\x7f'),
  blank: ranges('\t\t  '),
  cntrl: ranges('\0\x1f\x7f\x7f'),
  digit: ranges('09'),
  graph: ranges('!~'),
  lower: ranges('az'),
  print: ranges(' ~'),
  punct: ranges('!/:@[`{~'),
  space: ranges('\t\r  '),
  upper: ranges('AZ'),
  word: ranges('09AZaz__'),
  xdigit: ranges('09AFaf'),
};

/** `\p{name}`: a general category (`L`, `Lu`) or a script (`Greek`). @returns undefined for names nobody knows */
export function unicodeClass(name: string): CodePoints | undefined {
  if (name === 'Any') return () => true;
  if (!/^[A-Za-z_]+$/.test(name)) return undefined;
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      const one = new RegExp(`^\\p{${property}}$`, 'u');
      return codePoint => one.test(String.fromCodePoint(codePoint));
    } catch {
      // Not a name of this kind.
    }
  }
  return undefined;
}
