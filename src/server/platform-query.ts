import { EngineError } from '../stdx/errors.ts';
import type { Call } from './call.ts';

/**
 * The platform a request is about: JSON of os, architecture and variant since API 1.46, or `os/arch/variant`.
 * @returns `linux/arm64`, to be parsed by whoever knows platforms; undefined: none was asked for
 * @throws EngineError `invalid`
 */
export function platformOf(call: Call): string | undefined {
  const text = call.query.optional('platform');
  return text === undefined ? undefined : platformIn(text);
}

/** Several, one parameter each. */
export function platformsOf(call: Call): string[] {
  return call.query.all('platforms').map(platformIn);
}

function platformIn(text: string): string {
  if (!text.startsWith('{')) return text;
  const parts = parse(text);
  const words = [parts['os'], parts['architecture'], parts['variant']].filter(
    word => word !== undefined && word !== '',
  );
  if (typeof parts['os'] !== 'string' || !words.every(word => typeof word === 'string')) {
    throw new EngineError('invalid', `failed to parse platform: ${text}`);
  }
  return words.join('/');
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new EngineError('invalid', `failed to parse platform: ${text}`, { cause: error });
  }
}
