/** JSON as Go writes it: `<`, `>` and `&` are escaped. Hashes are made of this text. */
export function toGoJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
