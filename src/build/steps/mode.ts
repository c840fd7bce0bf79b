import { EngineError } from '../../stdx/errors.ts';

/** New permissions (0..0o7777) of something with the permissions it had. */
export type ModeChange = (permissions: number, isDirectory: boolean) => number;

const bits: Record<string, number> = { r: 0o444, w: 0o222, x: 0o111 };
const classes: Record<string, number> = { u: 0o700, g: 0o070, o: 0o007 };

/**
 * chmod(1)'s modes: `755`, `u+rwX,go=r`. Symbolic ones without a class mean all.
 * @returns a number when the result does not depend on what was there.
 * @throws EngineError `invalid`
 */
export function parseMode(text: string): number | ModeChange {
  if (/^0*[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  const changes = text.split(',').map(clause => parseClause(clause, text));
  return (permissions, isDirectory) =>
    changes.reduce((current, change) => change(current, isDirectory), permissions);
}

function parseClause(clause: string, whole: string): ModeChange {
  const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause);
  if (match === null)
    throw new EngineError(
      'invalid',
      `invalid chmod parameter: '${whole}'. it should be octal string and between 0 and 07777`,
    );
  const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!;
  const actions = [...match[2]!.matchAll(/([-+=])([rwxXstugo]*)/g)];
  return (permissions, isDirectory) =>
    actions.reduce(
      (current, [, operator, what]) => act(current, who, operator!, what!, isDirectory),
      permissions,
    );
}

function act(current: number, who: string, operator: string, what: string, isDirectory: boolean): number {
  const mask = [...who].reduce((sum, name) => sum | classes[name]!, 0);
  let wanted = 0;
  for (const letter of what) wanted |= permissionBits(letter, current, mask, who, isDirectory);
  if (operator === '+') return current | wanted;
  if (operator === '-') return current & ~wanted;
  const special = (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0);
  return (current & ~(mask | special)) | wanted;
}

function permissionBits(
  letter: string,
  current: number,
  mask: number,
  who: string,
  isDirectory: boolean,
): number {
  if (letter === 's') return (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0);
  if (letter === 't') return 0o1000;
  if (letter === 'X') return isDirectory || (current & 0o111) !== 0 ? 0o111 & mask : 0;
  const plain = bits[letter];
  if (plain !== undefined) return plain & mask;
  const shift = { u: 6, g: 3, o: 0 }[letter as 'u' | 'g' | 'o'];
  return (((current >> shift) & 7) * 0o111) & mask;
}
