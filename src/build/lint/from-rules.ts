import type { Platform } from '../../oci/image.ts';
import { EngineError } from '../../stdx/errors.ts';
import { expandWord } from '../dockerfile/expand.ts';
import type { FromInstruction, Located } from '../dockerfile/instructions.ts';
import type { Dockerfile } from '../dockerfile/parse.ts';
import { parsePlatform, platformArgs } from '../platform.ts';
import type { Finding } from './rules.ts';
import { suggestName } from './suggest.ts';

/** What the variables of FROM stand for. */
export interface GlobalVariables {
  /** The platform's, and those of ARGs before the first FROM that have a value. */
  values: ReadonlyMap<string, string>;
  /** All that are declared, with a value or without. */
  names: ReadonlySet<string>;
}

export function globalVariables(
  dockerfile: Dockerfile,
  buildArgs: Readonly<Record<string, string | null>>,
  platform: { target: Platform; own: Platform },
): GlobalVariables {
  const values = platformArgs(platform.target, platform.own);
  const names = new Set([...values.keys(), 'TARGETSTAGE']);
  for (const { args } of dockerfile.globalArgs) {
    for (const { name, defaultValue } of args) {
      names.add(name);
      const value = buildArgs[name] ?? expanded(defaultValue, values, dockerfile.escapeToken)?.text;
      if (value !== undefined) values.set(name, value);
    }
  }
  return { values, names };
}

/** Rules about FROM. */
export function checkFroms(
  dockerfile: Dockerfile,
  given: GlobalVariables,
  defaults: GlobalVariables,
): Finding[] {
  return dockerfile.stages.flatMap(({ from }) => [
    ...defaultBase(dockerfile, from, defaults),
    ...undeclared(dockerfile, from, from.base, given),
    ...(from.platform === undefined ? [] : checkPlatform(dockerfile, from, from.platform, given)),
  ]);
}

type From = FromInstruction & Located;

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const host = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?';
const imageName = new RegExp(
  `^(?:${host}/)?${component}(?:/${component})*(?::\\w[\\w.-]{0,127})?(?:@[a-z0-9+.-]+:[0-9a-fA-F]{32,})?$`,
);

function* defaultBase(dockerfile: Dockerfile, from: From, defaults: GlobalVariables): Generator<Finding> {
  const base = expanded(from.base, defaults.values, dockerfile.escapeToken);
  if (base === undefined || imageName.test(base.text)) return;
  const detail = `Default value for ARG ${from.base} results in empty or invalid base image name`;
  yield { rule: 'InvalidDefaultArgInFrom', detail, lines: from.lines, at: from.lines.first };
}

function* undeclared(
  dockerfile: Dockerfile,
  from: From,
  word: string,
  { values, names }: GlobalVariables,
): Generator<Finding> {
  for (const name of expanded(word, values, dockerfile.escapeToken)?.missing ?? []) {
    if (names.has(name)) continue;
    const hint = suggestName(name, names);
    const detail = `FROM argument '${name}' is not declared${hint === '' ? '' : ` (did you mean ${hint}?)`}`;
    yield { rule: 'UndefinedArgInFrom', detail, lines: from.lines, at: from.lines.first };
  }
}

function* checkPlatform(
  dockerfile: Dockerfile,
  from: From,
  word: string,
  variables: GlobalVariables,
): Generator<Finding> {
  yield* undeclared(dockerfile, from, word, variables);
  const platform = expanded(word, variables.values, dockerfile.escapeToken);
  if (platform === undefined) return;
  const { text, used, missing } = platform;
  const place = { lines: from.lines, at: from.lines.first };
  if (missing.length === 0 && used.length === 1 && used[0] === 'TARGETPLATFORM') {
    if (text !== variables.values.get('TARGETPLATFORM')) return;
    const detail = `Setting platform to predefined ${word} in FROM is redundant as this is the default behavior`;
    yield { rule: 'RedundantTargetPlatform', detail, ...place };
  }
  if (missing.length > 0 || used.length > 0) return;
  const constant = parsed(text);
  if (constant === undefined) return;
  const name = from.name ?? '';
  // A stage named after its platform has it on purpose.
  if (name.includes(constant.os) || name.includes(constant.architecture)) return;
  const detail = `FROM --platform flag should not use constant value ${JSON.stringify(text)}`;
  yield { rule: 'FromPlatformFlagConstDisallowed', detail, ...place };
}

function parsed(text: string): Platform | undefined {
  try {
    return parsePlatform(text, { os: 'linux', architecture: 'amd64' });
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

export interface Expanded {
  text: string;
  /** Names that have a value, and names that have none, each once. */
  used: string[];
  missing: string[];
}

/** undefined for a word that cannot be expanded: the build will say why. */
export function expanded(
  word: string | undefined,
  values: ReadonlyMap<string, string>,
  escapeToken: string,
): Expanded | undefined {
  if (word === undefined) return undefined;
  const used = new Set<string>();
  const missing = new Set<string>();
  const lookup = (name: string): string | undefined => {
    (values.has(name) ? used : missing).add(name);
    return values.get(name);
  };
  try {
    return { text: expandWord(word, lookup, escapeToken), used: [...used], missing: [...missing] };
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
