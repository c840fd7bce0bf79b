/** How the text after an instruction's name is cut into words; nothing is expanded or unquoted here. */

/** Words at white space outside quotes; quotes and escapes stay in the words. An open quote runs to the end. */
export function splitRaw(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === escapeToken && quote !== "'" && at + 1 < text.length) {
      word = (word ?? '') + char + text[++at]!;
    } else if (quote !== '') {
      word += char;
      if (char === quote) quote = '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      if (char === '"' || char === "'") quote = char;
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Words at white space, whatever is quoted. */
export function splitBare(text: string): string[] {
  return text.split(/\s+/).filter(word => word !== '');
}

export interface Flag {
  name: string;
  /** undefined for `--link`, text for `--link=...`. */
  value?: string;
}

/** Takes `--name=value` words off the front. Quotes around a value group words and are dropped, as in Docker. */
export function takeFlags(text: string, escapeToken: string): { flags: Flag[]; rest: string } {
  const flags: Flag[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && /\s/.test(text[at]!)) at++;
    if (!text.startsWith('--', at)) break;
    const { word, end } = takeWord(text, at, escapeToken);
    at = end;
    if (word === '--') break;
    const equals = word.indexOf('=');
    flags.push(
      equals < 0 ? { name: word.slice(2) } : { name: word.slice(2, equals), value: word.slice(equals + 1) },
    );
  }
  return { flags, rest: text.slice(at).trim() };
}

function takeWord(text: string, at: number, escapeToken: string): { word: string; end: number } {
  let word = '';
  let quote = '';
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (char === escapeToken && at + 1 < text.length) word += text[++at]!;
    else if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") quote = char;
    else if (/\s/.test(char)) break;
    else word += char;
  }
  return { word, end: at };
}

export type JsonForm = { form: 'json'; values: string[] } | { form: 'shell' } | { form: 'notStrings' };

/** `["a", "b"]` is the exec form; broken JSON is the shell form, as Docker has it. */
export function parseJsonForm(text: string): JsonForm {
  if (!text.startsWith('[')) return { form: 'shell' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not JSON: `[ -f x ] && y` is a fine shell command.
    return { form: 'shell' };
  }
  if (!Array.isArray(parsed) || !parsed.every(value => typeof value === 'string'))
    return { form: 'notStrings' };
  return { form: 'json', values: parsed };
}
