import { join } from 'node:path';

/** Where the reference's answer to a case is. */
export function goldenPath(name: string): string {
  return join(import.meta.dirname, 'golden', `${name.replace(/\W+/g, '-')}.txt`);
}
