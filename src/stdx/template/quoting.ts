const simpleEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** strconv.Unquote of a double-quoted or raw literal; undefined when it is none. */
export function unquote(text: string): string | undefined {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('\r', '');
  const parts: Uint8Array[] = [];
  let faulty = false;
  const piece = /\\(x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{3}|.)|[^\\]+/gsu;
  for (const [whole, code] of text.slice(1, -1).matchAll(piece)) {
    if (code === undefined) parts.push(Buffer.from(whole));
    else if (code.length === 1) {
      if (!Object.hasOwn(simpleEscapes, code) || code === "'") faulty = true;
      else parts.push(Buffer.from(simpleEscapes[code]!));
    } else if (code.startsWith('x')) parts.push(Buffer.of(Number.parseInt(code.slice(1), 16)));
    else if (/^[0-7]/.test(code)) parts.push(Buffer.of(Number.parseInt(code, 8) & 0xff));
    else parts.push(Buffer.from(String.fromCodePoint(Number.parseInt(code.slice(1), 16))));
  }
  return faulty ? undefined : Buffer.concat(parts).toString();
}

/** strconv.Quote, or QuoteToASCII. */
export function quote(text: string, ascii = false, delimiter = '"'): string {
  const escapes: Record<string, string> = {
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '\\': '\\\\',
  };
  let quoted = '';
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    if (letter === delimiter) quoted += `\\${letter}`;
    else if (escapes[letter] !== undefined) quoted += escapes[letter];
    else if (code < 0x20 || code === 0x7f) quoted += `\\x${code.toString(16).padStart(2, '0')}`;
    else if ((ascii && code > 0x7f) || /[\p{C}\p{Zl}\p{Zp}]/u.test(letter)) {
      quoted +=
        code > 0xffff
          ? `\\U${code.toString(16).padStart(8, '0')}`
          : `\\u${code.toString(16).padStart(4, '0')}`;
    } else quoted += letter;
  }
  return delimiter + quoted + delimiter;
}
