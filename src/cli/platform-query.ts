import { EngineError } from '../stdx/errors.ts';

/**
 * `linux/arm/v7` as the API takes it: JSON of os, architecture and variant.
 * @returns undefined for ''.
 */
export function platformQuery(text: string): string | undefined {
  if (text === '') return undefined;
  const [os = '', architecture = '', variant, ...more] = text.toLowerCase().split('/');
  if (os === '' || architecture === '' || more.length > 0) {
    throw new EngineError('invalid', `invalid platform: "${text}": want os/arch or os/arch/variant`);
  }
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}
