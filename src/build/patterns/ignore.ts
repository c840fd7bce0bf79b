import { posix } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import { Glob } from './glob.ts';

interface Rule {
  glob: Glob;
  /** `!pattern`: takes back what earlier rules left out. */
  keeps: boolean;
}

/** Which rules matched a path, one bit each, so that children need not look at their parents again. */
export type IgnoreState = readonly boolean[];

/**
 * .dockerignore's rules (moby/patternmatcher, and ReadAll of patternmatcher/ignorefile): the last rule that matches
 * a path or one of its parents decides.
 */
export class IgnoreRules {
  readonly #rules: Rule[];

  /** @throws EngineError `invalid`, naming the pattern. */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns.map(parseRule).filter(rule => rule !== undefined);
  }

  /** The rules of a .dockerignore file's text. */
  static parse(text: string): IgnoreRules {
    return new IgnoreRules(readPatterns(text));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Whether something below an ignored directory can be kept. */
  get hasExceptions(): boolean {
    return this.#rules.some(rule => rule.keeps);
  }

  /** @param path relative, slash-separated: `src/main.go` */
  ignores(path: string): boolean {
    let state: IgnoreState | undefined;
    let ignored = false;
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      ({ state, ignored } = this.step(end < 0 ? path : path.slice(0, end), state));
      if (end < 0) return ignored;
    }
  }

  /** As ignores(), with the state its parent directory got. */
  step(path: string, parent?: IgnoreState): { ignored: boolean; state: IgnoreState } {
    let ignored = false;
    const state = this.#rules.map((rule, index) => {
      const matched = parent?.[index] === true || rule.glob.matches(path);
      if (matched) ignored = !rule.keeps;
      return matched;
    });
    return { ignored, state };
  }
}

/** Lines of a .dockerignore, cleaned: no comments, no empty lines, no leading slash. */
export function readPatterns(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    // Only a # in the first column starts a comment.
    if (line.startsWith('#')) continue;
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const keeps = trimmed.startsWith('!');
    const bare = keeps ? trimmed.slice(1).trim() : trimmed;
    let cleaned = bare === '' ? '' : cleanPath(bare);
    if (cleaned.length > 1 && cleaned.startsWith('/')) cleaned = cleaned.slice(1);
    patterns.push(keeps ? `!${cleaned}` : cleaned);
  }
  return patterns;
}

function parseRule(text: string): Rule | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const keeps = trimmed.startsWith('!');
  if (trimmed === '!') throw new EngineError('invalid', 'illegal exclusion pattern: "!"');
  const pattern = cleanPath(keeps ? trimmed.slice(1) : trimmed);
  try {
    return { keeps, glob: new Glob(pattern, { doubleStar: true }) };
  } catch (error) {
    throw new EngineError('invalid', `invalid ignore pattern "${text}": syntax error in pattern`, {
      cause: error,
    });
  }
}

/** Go's filepath.Clean: path.normalize keeps a trailing slash, Clean does not. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}
