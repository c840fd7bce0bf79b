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
  if (isLetter) return before(one, other);
  const [number, otherNumber] = [numberAt(left, at), numberAt(right, at)];
  if (number.value !== otherNumber.value) return number.value < otherNumber.value ? -1 : 1;
  return number.digits - otherNumber.digits || before(one, other);

  /** The number that goes on here: zeros count behind other digits only. */
  function numberAt(text: readonly string[], at: number): { value: bigint; digits: number } {
    let before = at - 1;
    while (isDigit(text[before] ?? '') && text[before] === '0') before--;
    const goesOn = (one === '0' || other === '0') && isDigit(text[before] ?? '');
    const digits = /^\d*/.exec(text.slice(at).join(''))![0];
    return { value: BigInt.asIntN(64, BigInt(`${goesOn ? 1 : ''}${digits}` || 0)), digits: digits.length };
  }
}

function before(one: string, other: string): number {
  return one.codePointAt(0)! - other.codePointAt(0)!;
}

function isDigit(character: string): boolean {
  return /[0-9]/.test(character);
}
