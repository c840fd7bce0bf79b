/** `key=value` texts as an object; a key alone has an empty value. */
export function keyValues(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map(splitKeyValue));
}

export function splitKeyValue(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}
