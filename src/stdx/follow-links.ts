import { posix } from 'node:path';

/** As Linux has it. */
const mostLinks = 40;

/**
 * Where a path leads in a tree whose links never lead out of it: those that would, lead to the same path below its root.
 * @param linkOf what a link says, by its path; undefined for what is none
 * @returns relative; undefined when links lead in a circle
 */
export function followLinksIn(
  path: string,
  linkOf: (path: string) => string | undefined,
): string | undefined {
  let [at, rest, links] = ['', partsOf(path), 0];
  for (;;) {
    const part = rest.shift();
    if (part === undefined) return at;
    const next = at === '' ? part : `${at}/${part}`;
    const link = linkOf(next);
    if (link === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) return undefined;
    rest = [...partsOf(posix.isAbsolute(link) ? link : posix.join('/', at, link)), ...rest];
    at = '';
  }
}

function partsOf(path: string): string[] {
  return posix
    .join('/', path)
    .split('/')
    .filter(part => part !== '');
}
