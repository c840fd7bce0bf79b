import { asArchiveError } from '../../archive/compression.ts';
import { EngineError, errnoOf, systemMessageOf, within } from '../../stdx/errors.ts';

export function invalidEntry(what: string): EngineError {
  return new EngineError('invalid', what);
}

/** What goes wrong with a file because of what the archive says is the archive's fault, not the engine's. */
export function archiveError(doing: string, error: unknown): EngineError {
  const code = errnoOf(error);
  if (code !== undefined && archiveFaults.has(code)) {
    return new EngineError('invalid', `${doing}: ${systemMessageOf(error)}`, { cause: error });
  }
  return diskError(doing, asArchiveError(error));
}

/** As `within`, and says what can be done about a full disk. */
export function diskError(doing: string, error: unknown): EngineError {
  const code = errnoOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return within(doing, error);
  const reason = code === 'ENOSPC' ? 'no space left on device' : 'disk quota exceeded';
  const advice = 'free some, for example with "docker system prune"';
  return new EngineError('exhausted', `${doing}: ${reason}: ${advice}`, { cause: error });
}

const archiveFaults = new Set([
  'ENAMETOOLONG',
  'ELOOP',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'EFBIG',
  'EILSEQ',
  'EINVAL',
  'EPERM',
  'EMLINK',
  'ENOENT',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
]);
