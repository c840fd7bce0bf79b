import { EngineError } from '../../stdx/errors.ts';
import { nearest } from './did-you-mean.ts';
import type { Flag } from './words.ts';

/** The flags of one instruction; what nobody asked for is refused at the end. */
export class FlagReader {
  readonly #flags: Flag[];
  readonly #known = new Set<string>();

  constructor(flags: Flag[]) {
    this.#flags = flags;
  }

  /** A flag with a value, given at most once. */
  text(name: string): string | undefined {
    const [first, second] = this.#of(name);
    if (second !== undefined) throw new EngineError('invalid', `Duplicate flag specified: ${name}`);
    if (first === undefined) return undefined;
    if (first.value === undefined) throw new EngineError('invalid', `Missing a value on flag: ${name}`);
    return first.value;
  }

  /** A flag with a value, given any number of times. */
  texts(name: string): string[] {
    return this.#of(name).map(flag => {
      if (flag.value === undefined) throw new EngineError('invalid', `Missing a value on flag: ${name}`);
      return flag.value;
    });
  }

  /** `--link`, `--link=true`, `--link=false`; undefined when it is not given. */
  boolean(name: string): boolean | undefined {
    const [first, second] = this.#of(name);
    if (second !== undefined) throw new EngineError('invalid', `Duplicate flag specified: ${name}`);
    if (first === undefined) return undefined;
    const value = (first.value ?? 'true').toLowerCase();
    if (value === 'true') return true;
    if (value === 'false') return false;
    const message = `Expecting boolean value for flag ${name}, not: ${first.value}`;
    throw new EngineError('invalid', message);
  }

  refuseOthers(): void {
    const unknown = this.#flags.find(flag => !this.#known.has(flag.name));
    if (unknown === undefined) return;
    const hint = nearest(unknown.name, [...this.#known]);
    const suffix = hint === undefined ? '' : ` (did you mean ${hint}?)`;
    throw new EngineError('invalid', `unknown flag: --${unknown.name}${suffix}`);
  }

  #of(name: string): Flag[] {
    this.#known.add(name);
    return this.#flags.filter(flag => flag.name === name);
  }
}
