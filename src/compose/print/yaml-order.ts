/**
 * The order of names in YAML as Go's encoder has it: numbers in them by their value (`s2` before `s10`), letters after
 * everything else, but for what stands behind a digit.
 */
export function yamlOrder(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  let at = 0;
  while (at < left.length && at < right.length && left[at] === right[at]) at++;
  const [one, other] = [left[at], right[at]];
  if (one === undefined || other === undefined) return left.length - right.length;
  const [isLetter, otherIsLetter] = [/\p{L}/u.test(one), /\p{L}/u.test(other)];
  if (isLetter !== otherIsLetter) {
    const behindDigit = at > 0 && isDigit(left[at - 1]!);
    return isLetter === behindDigit ? -1 : 1;
  }
  const byValue = isLetter ? 0 : numberAt(left, at) - numberAt(right, at);
  return byValue || (one < other ? -1 : 1);
}

/** The number that goes on here; a zero counts as a digit only behind others. */
function numberAt(text: readonly string[], at: number): number {
  let end = at;
  while (end < text.length && isDigit(text[end]!)) end++;
  let start = at;
  while (start > 0 && isDigit(text[start - 1]!)) start--;
  return Number(text.slice(start, end).join('') || -1);
}

function isDigit(character: string): boolean {
  return /[0-9]/.test(character);
}
