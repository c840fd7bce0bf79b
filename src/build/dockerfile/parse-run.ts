import { EngineError } from '../../stdx/errors.ts';
import { nearest } from './did-you-mean.ts';
import type { KeyValue, RunInstruction, RunMount } from './instructions.ts';
import { type InstructionText, parseCommand } from './parse-instruction.ts';

const networks = ['default', 'none', 'host'] as const;

export function parseRun({ rest, flags, line }: InstructionText): RunInstruction {
  const mounts = flags.texts('mount').map(parseMount);
  const network = flags.text('network') ?? 'default';
  const known = networks.find(mode => mode === network);
  if (known === undefined) throw new EngineError('invalid', `invalid network mode "${network}"`);
  const security = flags.text('security') ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure')
    throw new EngineError('invalid', `security "${security}" is not valid`);
  const command = parseCommand(rest);
  if (command.args.length === 0) throw new EngineError('invalid', 'RUN requires at least one argument');
  return { kind: 'RUN', command, heredocs: line.heredocs, mounts, network: known, security };
}

const bareFields = ['readonly', 'ro', 'readwrite', 'rw', 'required'];
const fields = [
  'type',
  'from',
  'source',
  'src',
  'target',
  'dst',
  'destination',
  'id',
  'sharing',
  'mode',
  'uid',
  'gid',
  'size',
  'env',
  ...bareFields,
];

/** The names are checked here, the values when they are expanded, by readMount. */
function parseMount(text: string): RunMount {
  const found: KeyValue[] = splitCsv(text).map(field => {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (!fields.includes(key)) {
      const hint = nearest(key, fields);
      const message =
        equals < 0
          ? `invalid field '${key}' must be a key=value pair`
          : `unexpected key '${key}' in '${field}'`;
      throw new EngineError('invalid', hint === undefined ? message : `${message} (did you mean ${hint}?)`);
    }
    if (equals >= 0) return { key, value: field.slice(equals + 1) };
    if (!bareFields.includes(key))
      throw new EngineError('invalid', `invalid field '${key}' must be a key=value pair`);
    return { key, value: 'true' };
  });
  const from = found.find(field => field.key === 'from')?.value;
  if (from?.includes('$')) {
    const message = "'from' doesn't support variable expansion, define alias stage instead";
    throw new EngineError('invalid', message);
  }
  return { fields: found, from: from === '' ? undefined : from };
}

/** Fields between commas; a field in double quotes may hold commas, `""` in it is a quote (RFC 4180). */
function splitCsv(text: string): string[] {
  const found: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/y;
  while (pattern.lastIndex < text.length || text.endsWith(',')) {
    const match = pattern.exec(text);
    if (match === null) throw new EngineError('invalid', `failed to parse csv mounts: ${text}`);
    found.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (!match[0].endsWith(',')) break;
    if (pattern.lastIndex === text.length) {
      found.push('');
      break;
    }
  }
  return found;
}
