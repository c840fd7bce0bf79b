/**
 * The order docker lists names in: numbers by their value, so `web2` before `web10`; of equal ones that with fewer zeros
 * in front; digits before letters, and everything else by its bytes.
 */
export function naturalOrder(left: string, right: string): number {
  const leftParts = partsOf(left);
  const rightParts = partsOf(right);
  for (const [index, part] of leftParts.entries()) {
    const other = rightParts[index];
    if (other === undefined) return 1;
    const order = compareParts(part, other);
    if (order !== 0) return order;
  }
  return leftParts.length - rightParts.length;
}

/** Numbers, and single characters between them. */
function partsOf(name: string): string[] {
  return name.match(/[0-9]+|[^0-9]/gu) ?? [];
}

function compareParts(left: string, right: string): number {
  const isNumber = [left, right].map(part => /^[0-9]/.test(part));
  if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1;
  if (!isNumber[0]) return Buffer.compare(Buffer.from(left), Buffer.from(right));
  const digits = [left, right].map(part => part.replace(/^0+/, '')) as [string, string];
  if (digits[0].length !== digits[1].length) return digits[0].length - digits[1].length;
  if (digits[0] !== digits[1]) return digits[0] < digits[1] ? -1 : 1;
  return left.length - right.length;
}
