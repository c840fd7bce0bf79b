import { EngineError } from '../stdx/errors.ts';

/** Docker's restricted name pattern (daemon/names), and its words (volume/local). */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export function isVolumeName(name: string): boolean {
  return namePattern.test(name) && name.length <= 255;
}

/** @throws EngineError `invalid` */
export function checkVolumeName(name: string): void {
  if (name.length === 1) {
    throw invalid(name, 'volume name is too short, names should be at least two alphanumeric characters');
  }
  if (!isVolumeName(name)) {
    throw invalid(
      name,
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
}

/** Which options need which others. */
const needs: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
};

/** @throws EngineError `invalid` */
export function validateLocalOptions(name: string, options: Readonly<Record<string, string>>): void {
  if (options['size'] !== undefined) throw invalid(name, 'quota size requested but no quota support');
  for (const option of Object.keys(options)) {
    if (needs[option] === undefined) throw invalid(name, `invalid option: ${JSON.stringify(option)}`);
  }
  for (const option of Object.keys(options)) {
    for (const needed of needs[option]!) {
      if (options[needed] === undefined)
        throw invalid(name, `missing required option: ${JSON.stringify(needed)}`);
    }
  }
}

function invalid(name: string, what: string): EngineError {
  return new EngineError('invalid', `create ${name}: ${what}`);
}
