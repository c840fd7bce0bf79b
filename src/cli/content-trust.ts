import { EngineError } from '../stdx/errors.ts';
import type { FlagValues } from './flags.ts';

/** Docker Content Trust (Notary v1) is not supported; its flag is there because scripts turn it off by name. */
export function refuseContentTrust(flags: FlagValues): void {
  if (flags.changed('disable-content-trust') && !flags.on('disable-content-trust')) {
    throw new EngineError(
      'notImplemented',
      '--disable-content-trust=false is not supported: there is no content trust',
    );
  }
}
