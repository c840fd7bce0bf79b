import { parseByteSize } from '../../stdx/byte-size.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';

export interface LogLimits {
  /** A file that has grown beyond this is rotated. */
  maxSizeBytes: number;
  /** Files kept, the current one included. */
  maxFiles: number;
  compress: boolean;
}

/**
 * The limits of Docker's `local` driver: 20 MB, 5 files, compressed.
 * @throws invalid for options that do not exist or have bad values
 */
export function parseLogLimits(options: Record<string, string>): LogLimits {
  const limits: LogLimits = { maxSizeBytes: 20_000_000, maxFiles: 5, compress: true };
  for (const [name, value] of Object.entries(options)) {
    switch (name) {
      case 'max-size':
        limits.maxSizeBytes = sizeOf(value);
        break;
      case 'max-file':
        if (!/^[1-9]\d*$/.test(value)) throw badValue(name, value, 'want a number from 1');
        limits.maxFiles = Number(value);
        break;
      case 'compress':
        if (value !== 'true' && value !== 'false') throw badValue(name, value, 'want true or false');
        limits.compress = value === 'true';
        break;
      default:
        throw new EngineError('invalid', `unknown log opt '${name}' for log driver local`);
    }
  }
  return limits;
}

function sizeOf(value: string): number {
  try {
    return parseByteSize(value);
  } catch (error) {
    throw badValue('max-size', value, messageOf(error));
  }
}

function badValue(name: string, value: string, reason: string): EngineError {
  return new EngineError(
    'invalid',
    `failed to initialize logging driver: invalid value for ${name}: ${value}: ${reason}`,
  );
}
