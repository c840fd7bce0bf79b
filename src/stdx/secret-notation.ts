import { splitCsv } from './csv.ts';
import { EngineError } from './errors.ts';

/** A secret as somebody asks for it; what is absent is left to the daemon. */
export interface WrittenSecret {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: number;
}

/**
 * `name`, or `source=name,target=path,uid=0,gid=0,mode=0400` as `docker service create --secret` takes it. The first
 * field may be the name alone: `name,mode=0400`.
 * @throws EngineError `invalid`, in docker's words
 */
export function parseSecretNotation(text: string): WrittenSecret {
  const secret: WrittenSecret = { source: '' };
  if (text === '') throw new EngineError('invalid', 'EOF');
  for (const [index, field] of splitCsv(text).entries()) {
    const equals = field.indexOf('=');
    if (index === 0 && equals === -1) secret.source = field;
    else if (equals < 1)
      throw new EngineError('invalid', `invalid field '${field}' must be a key=value pair`);
    else setField(secret, field.slice(0, equals), field.slice(equals + 1));
  }
  if (secret.source === '') throw new EngineError('invalid', 'source is required');
  return secret;
}

function setField(secret: WrittenSecret, key: string, value: string): void {
  switch (key.toLowerCase()) {
    case 'source':
    case 'src':
      secret.source = value;
      break;
    case 'target':
      secret.target = value;
      break;
    case 'uid':
      secret.uid = value;
      break;
    case 'gid':
      secret.gid = value;
      break;
    case 'mode':
      secret.mode = parseMode(value);
      break;
    default:
      throw new EngineError('invalid', `invalid field in secret request: ${key}`);
  }
}

/** As Go reads a number: octal with a `0` in front, as everybody writes modes. */
function parseMode(text: string): number {
  const refuse = (why: string) =>
    new EngineError(
      'invalid',
      `invalid mode specified: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`,
    );
  const octal = /^0[oO]?([0-7]+)$/.exec(text);
  const plain = /^(0[xX][0-9a-fA-F]+|0[bB][01]+|0|[1-9][0-9]*)$/.test(text);
  if (octal === null && !plain) throw refuse('invalid syntax');
  const mode = octal === null ? Number(text) : Number.parseInt(octal[1]!, 8);
  if (mode > 0xffff_ffff) throw refuse('value out of range');
  return mode;
}
