import { plainScalar } from '../load/plain-scalar.ts';

/** Whether a text must be written with `? ` when it is a key. */
export function isComplexKey(text: string): boolean {
  return lineBreak.test(text) || Buffer.byteLength(text) > 128;
}

/**
 * A text as YAML: bare where that reads as the same text again, in the quotes of Go's encoder where not, and as a block
 * of lines when it has several.
 * @param indent of the lines of a block
 */
export function yamlText(text: string, indent: string): string {
  const escapes = unprintable.test(text) || / [\n\u2028\u2029]/.test(text);
  if (text.includes('\n')) return escapes || text.endsWith(' ') ? doubleQuoted(text) : block(text, indent);
  if (escapes || !readsAsText(text) || /\t|[\u2028\u2029] /.test(text)) return doubleQuoted(text);
  return isPlain(text) ? text : `'${text.replaceAll("'", "''")}'`;
}

const lineBreak = /[\r\n\x85\u2028\u2029]/;
/** Of the planes behind the first one nothing is printable for Go's encoder. */
const unprintable = /[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;

function isPlain(text: string): boolean {
  if (/^(?:---|\.\.\.)|^[#,[\]{}&*!|>'"%@`]|^[-?:](?=[ \t]|$)/.test(text)) return false;
  return !/^ | $|:(?=[ \t]|$)|[ \t\u2028\u2029]#/.test(text) && !lineBreak.test(text);
}

const oldBooleans = /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/;

/** Not so: numbers, words, dates, and the numbers in base 60 and truth values of YAML 1.1. */
function readsAsText(text: string): boolean {
  if (plainScalar(text) !== text || oldBooleans.test(text) || isDate(text)) return false;
  // Numbers that are too long for us, but not for others.
  if (/^[-+]?(?:\d[\d_]*|0x[\da-fA-F_]+|0o[0-7_]+|0b[01_]+)$/.test(text)) return false;
  return !/^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/.test(text);
}

function isDate(text: string): boolean {
  const match =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]\d\d?:\d\d?:\d\d?(?:\.\d+)?(?:Z|[-+]\d\d:\d\d))|(?: \d\d?:\d\d?:\d\d?(?:\.\d+)?))?$/.exec(
      text,
    );
  if (match === null) return false;
  const [year, month, day] = match.slice(1, 4).map(Number);
  const date = new Date(Date.UTC(2000, month! - 1, day!));
  date.setUTCFullYear(year!, month! - 1, day!);
  return date.getUTCMonth() === month! - 1 && date.getUTCDate() === day!;
}

const shortEscapes: Readonly<Record<string, string>> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\u2028': 'L',
  '\u2029': 'P',
};

function doubleQuoted(text: string): string {
  // Behind a byte order mark at the start Go's encoder escapes all.
  const escaped = text.startsWith('\uFEFF')
    ? /[\s\S]/gu
    : /["\\\t\r\n\u2028\u2029]|[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/gu;
  return `"${text.replace(escaped, escapeOf)}"`;
}

function escapeOf(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return `\\${short}`;
  const code = character.codePointAt(0)!.toString(16).toUpperCase();
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`;
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\U${code.padStart(8, '0')}`;
}

/** `|` and lines; what trails is said by `-` (nothing), nothing (one line end) or `+` (more). */
function block(text: string, indent: string): string {
  const hint = /^[ \n\u2028\u2029]/.test(text) ? '2' : '';
  const trailing = /[\n\u2028\u2029]*$/.exec(text)![0].length;
  const chomping = trailing === 0 ? '-' : trailing === 1 && text.length > 1 ? '' : '+';
  const lines = text.replace(/\n$/, '').split('\n');
  const body = lines.map(line => line.replace(/(?:^|(?<=[\u2028\u2029]))(?=[^\u2028\u2029])/g, indent));
  return `|${hint}${chomping}\n${body.join('\n')}`;
}
