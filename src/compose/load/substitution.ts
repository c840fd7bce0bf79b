/** Looks a variable up; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export type Substituted = { text: string } | { fault: 'format' } | { fault: 'required'; message: string };

/** Defaults in defaults; more than anybody writes by hand. */
const deepest = 100;

/**
 * Puts variables into a text: `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME-word}`, `${NAME:?word}`, `${NAME?word}`,
 * `${NAME:+word}`, `${NAME+word}`, where words may contain variables; `$$` is a dollar sign, and so is one that no name
 * follows.
 * @param missing is told of variables that are not set and have no default
 */
export function substitute(
  text: string,
  lookup: Lookup,
  missing: (name: string) => void,
  depth = 0,
): Substituted {
  if (depth > deepest) return { fault: 'format' };
  if (!text.includes('$')) return { text };
  let result = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1) break;
    result += text.slice(at, dollar);
    const rest = text.slice(dollar + 1);
    const name = /^[_a-z][_a-z0-9]*/i.exec(rest)?.[0];
    if (rest.startsWith('$')) {
      result += '$';
      at = dollar + 2;
    } else if (name !== undefined) {
      result += variableOf(name, lookup, missing);
      at = dollar + 1 + name.length;
    } else if (rest.startsWith('{')) {
      const end = closingBrace(rest);
      if (end === undefined) return { fault: 'format' };
      const inner = expand(rest.slice(1, end), lookup, missing, depth + 1);
      if ('fault' in inner) return inner;
      result += inner.text;
      at = dollar + 1 + end + 1;
    } else {
      result += '$';
      at = dollar + 1;
    }
  }
  return { text: result + text.slice(at) };
}

function variableOf(name: string, lookup: Lookup, missing: (name: string) => void): string {
  const value = lookup(name);
  if (value === undefined) missing(name);
  return value ?? '';
}

/** @param body what is between the braces */
function expand(body: string, lookup: Lookup, missing: (name: string) => void, depth: number): Substituted {
  const match = /^([_a-z][_a-z0-9]*)(?:(:?)([-?+])([\s\S]*))?$/i.exec(body);
  if (match === null) return { fault: 'format' };
  const [, name, colon, operator, word] = match;
  if (operator === undefined) return { text: variableOf(name!, lookup, missing) };
  const value = lookup(name!);
  const counts = value !== undefined && !(colon === ':' && value === '');
  if (operator === '-' && counts) return { text: value };
  if (operator === '+' && !counts) return { text: value ?? '' };
  if (operator === '?' && counts) return { text: value };
  const inner = substitute(word!, lookup, missing, depth);
  if ('fault' in inner || operator !== '?') return inner;
  const reason = inner.text === '' ? '' : `: ${inner.text}`;
  return { fault: 'required', message: `required variable ${name} is missing a value${reason}` };
}

/** Of a text that starts with `{`: where the brace that closes it is. */
export function closingBrace(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{' && (at === 0 || text[at - 1] === '$')) depth++;
    else if (text[at] === '}') {
      depth--;
      if (depth === 0) return at;
    }
  }
  return undefined;
}
