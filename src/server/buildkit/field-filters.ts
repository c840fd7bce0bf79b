import { EngineError } from '../../stdx/errors.ts';
import { GoRegexp } from '../../stdx/go-regexp/go-regexp.ts';

/** @returns what a thing has under a name; undefined: it has no such field */
export type ReadField<T> = (thing: T, name: string) => string | undefined;

/**
 * containerd's filters: fields that must all hold, separated by commas; several filters are alternatives.
 * `id==x`, `type!=regular`, `description~=RUN` (a regular expression), `inuse` (it is there, and not
 * `false`). A field that nobody knows is nowhere.
 *
 * @param what for the error: `diskusage`, `history`
 * @throws EngineError `invalid`
 */
export function fieldFilter<T>(
  filters: readonly string[],
  what: string,
  read: ReadField<T>,
): (thing: T) => boolean {
  // Clients send an empty one when they have none.
  const given = filters.filter(filter => filter !== '');
  const alternatives = given.map(filter => splitFilter(filter).map(text => oneField(text, what, read)));
  return thing => alternatives.length === 0 || alternatives.some(all => all.every(one => one(thing)));
}

/** At the commas that are not within quotes. */
export function splitFilter(filter: string): string[] {
  return filter.match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [];
}

function oneField<T>(text: string, what: string, read: ReadField<T>): (thing: T) => boolean {
  const [, name = '', operator, quoted, bare = ''] =
    /^\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*(?:(==|!=|~=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"=].*?|))\s*)?$/s.exec(text) ??
    [];
  if (name === '')
    throw new EngineError('invalid', `failed to parse ${what} filters [${text}]: invalid argument`);
  const value = quoted === undefined ? bare : quoted.replace(/\\(.)/gs, '$1');
  switch (operator) {
    case undefined:
      return thing => ![undefined, 'false'].includes(read(thing, name));
    case '==':
      return thing => read(thing, name) === value;
    case '!=':
      return thing => read(thing, name) !== value;
    default: {
      const pattern = patternOf(value, text, what);
      return thing => {
        const found = read(thing, name);
        return found !== undefined && pattern.fits(found);
      };
    }
  }
}

function patternOf(value: string, text: string, what: string): GoRegexp {
  try {
    return new GoRegexp(value);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `failed to parse ${what} filters [${text}]: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}
