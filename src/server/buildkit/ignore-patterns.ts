import { posix } from 'node:path';

/** The patterns of a .dockerignore, as clients that filter by them take them (moby/patternmatcher, ignorefile). */
export function ignorePatterns(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter(line => !line.startsWith('#'))
    .map(line => line.trim())
    .filter(line => line !== '')
    .map(line => {
      const inverted = line.startsWith('!');
      const pattern = inverted ? line.slice(1).trim() : line;
      const clean = pattern === '' ? '' : posix.normalize(pattern).replace(/(.)\/$/, '$1');
      return `${inverted ? '!' : ''}${clean.length > 1 ? clean.replace(/^\//, '') : clean}`;
    });
}
