import { network, project, volume } from '../load/attributes/project.ts';
import { service } from '../load/attributes/service.ts';
import type { Notation, Shape } from '../load/shapes/shape.ts';
import type { Network, Project, Service, Volume } from '../project.ts';
import { yamlOrder } from './yaml-order.ts';

/** A project as Docker prints it: attributes in its order, names sorted, without what says nothing. */
export function printedProject(of: Project, notation: Notation): Record<string, unknown> {
  const printed = printObject(of as unknown as Record<string, unknown>, project, 'yaml', notation);
  return notation === 'yaml' ? printed : sorted(printed, notation);
}

/** One whose variables are not filled in, as it is written: everything by name. */
export function printedModel({ separator: _, ...model }: Project, notation: Notation): unknown {
  return print(model, undefined, notation);
}

export function printedService(of: Service, notation: Notation): Record<string, unknown> {
  return printObject(of as unknown as Record<string, unknown>, service, notation, notation);
}

export function printedNetwork(of: Network): Record<string, unknown> {
  return printObject(of as unknown as Record<string, unknown>, network, 'json', 'json');
}

export function printedVolume(of: Volume): Record<string, unknown> {
  return printObject(of as unknown as Record<string, unknown>, volume, 'json', 'json');
}

function print(value: unknown, shape: Shape | undefined, notation: Notation): unknown {
  if (shape?.printed !== undefined && value !== null && value !== undefined)
    return shape.printed(value, notation);
  if (Array.isArray(value)) return value.map(item => print(item, shape?.of, notation));
  if (value === null || typeof value !== 'object') return value;
  const entries = value as Record<string, unknown>;
  if (shape?.fields !== undefined) return printObject(entries, shape, notation, notation);
  return sorted(
    Object.fromEntries(Object.entries(entries).map(([key, item]) => [key, print(item, shape?.of, notation)])),
    notation,
  );
}

function printObject(
  value: Record<string, unknown>,
  { fields = {} }: Shape,
  extensions: Notation,
  notation: Notation,
): Record<string, unknown> {
  const printed: Record<string, unknown> = {};
  for (const [key, shape] of Object.entries(fields)) {
    const item = print(value[key], shape, notation);
    // No words are other than none said: then it is the image's command.
    const isSaid = shape.keepsEmpty || (shape.inJsonWhenEmpty && Array.isArray(item));
    if (!isEmpty(item) || (item !== undefined && item !== null && isSaid)) printed[key] = item;
    else if (shape.inJsonWhenEmpty && notation === 'json') printed[key] = emptyOf(shape);
  }
  if (extensions === 'json') return printed;
  const additions = Object.entries(value).filter(([key]) => key.startsWith('x-'));
  return {
    ...printed,
    ...sorted(
      Object.fromEntries(additions.map(([key, item]) => [key, print(item, undefined, notation)])),
      notation,
    ),
  };
}

/** An object with what it has even then; no command is null. */
function emptyOf(shape: Shape): unknown {
  return shape.fields === undefined ? null : printObject({}, shape, 'json', 'json');
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function sorted(of: Record<string, unknown>, notation: Notation): Record<string, unknown> {
  const before = notation === 'json' ? (a: string, b: string) => (a < b ? -1 : 1) : yamlOrder;
  return Object.fromEntries(Object.entries(of).sort(([a], [b]) => before(a, b)));
}
