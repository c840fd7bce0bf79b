import { isNull, scalar, sequence, textOf } from '../node.ts';
import { texts } from './collections.ts';
import { fault, replace, type Shape } from './shape.ts';

/** A command: a list, or one text that is split as a shell splits words. Null takes the image's. */
export const command: Shape = {
  merge: replace,
  canonical(node, path, reading) {
    if (isNull(node)) return node;
    const written = textOf(node);
    if (written === undefined) return texts.canonical(node, path, reading);
    if (!reading.interpolates) return node;
    const words = splitWords(written);
    if (words === undefined) throw fault(node, `${path}: invalid command line string`);
    return sequence(
      words.map(word => scalar(word, node)),
      node,
    );
  },
};

/** The test of a health check: a text is for the shell. */
export const healthTest: Shape = {
  merge: replace,
  canonical(node, path, reading) {
    const written = textOf(node);
    if (written === undefined) return texts.canonical(node, path, reading);
    if (!reading.interpolates) return node;
    return sequence([scalar('CMD-SHELL', node), scalar(written, node)], node);
  },
};

/**
 * Words of a command line: blanks part them, quotes keep them together, a backslash takes the next character as it is
 * (not between single quotes).
 * @returns undefined when a quote is not closed
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word = '';
  let started = false;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === '\\' && quote !== "'") {
      at++;
      if (at === line.length) return undefined;
      word += line[at];
      started = true;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      started = true;
    } else if (/\s/.test(character)) {
      if (started) words.push(word);
      word = '';
      started = false;
    } else {
      word += character;
      started = true;
    }
  }
  if (quote !== '') return undefined;
  if (started) words.push(word);
  return words;
}
