import { bare, byBytes, isNil, kindOf, Typed, typeName } from './values.ts';

/** Thrown by functions; the executor adds where. */
export class FunctionError extends Error {}

const basicKinds = ['bool', 'string', 'int', 'uint', 'float', 'complex'];

/** Go's `eq`: whether the first equals one of the others. */
export function equal(first: unknown, others: readonly unknown[]): boolean {
  if (others.length === 0) throw new FunctionError('missing argument for comparison');
  return others.some(other => isEqual(first, other));
}

function isEqual(left: unknown, right: unknown): boolean {
  const kinds = [basicKind(left), basicKind(right)];
  if (kinds[0] !== kinds[1]) {
    if (areIntegers(kinds)) return BigInt(bare(left) as number) === BigInt(bare(right) as number);
    if (left === undefined || left === null || right === undefined || right === null) return false;
    throw new FunctionError('incompatible types for comparison');
  }
  if (kinds[0] === 'complex') return String(bare(left)) === String(bare(right));
  if (kinds[0] !== undefined) return compareNumbers(bare(left), bare(right)) === 0;
  if (isNil(left) || isNil(right)) return isNil(left) === isNil(right);
  if (typeName(left) !== typeName(right)) {
    throw new FunctionError(
      `non-comparable types ${shown(left)}: ${typeName(left)}, ${typeName(right)}: ${shown(right)}`,
    );
  }
  if (kindOf(left) === 'slice' || kindOf(left) === 'map') {
    throw new FunctionError(`non-comparable type ${shown(right)}: ${typeName(right)}`);
  }
  return left === right;
}

/** Go's `lt` and its kin: below, at or above 0. */
export function compare(left: unknown, right: unknown): number {
  const kinds = [basicKind(left), basicKind(right)];
  if (kinds.includes(undefined)) throw new FunctionError('invalid type for comparison');
  if (kinds[0] !== kinds[1] && !areIntegers(kinds)) {
    throw new FunctionError('incompatible types for comparison');
  }
  if (kinds[0] === 'bool' || kinds[0] === 'complex') throw new FunctionError('invalid type for comparison');
  return compareNumbers(bare(left), bare(right));
}

function compareNumbers(left: unknown, right: unknown): number {
  if (typeof left === 'string') return byBytes(left, right as string);
  if (left === right) return 0;
  return (left as number) < (right as number) ? -1 : (left as number) > (right as number) ? 1 : 0;
}

function basicKind(value: unknown): string | undefined {
  const kind = kindOf(value);
  return basicKinds.includes(kind) ? kind : undefined;
}

function areIntegers(kinds: readonly (string | undefined)[]): boolean {
  return kinds.every(kind => kind === 'int' || kind === 'uint');
}

function shown(value: unknown): string {
  return value instanceof Typed ? `<${value.type.name} Value>` : `<${typeName(value)} Value>`;
}
