import { EngineError } from '../../stdx/errors.ts';
import type { Finding, Rule } from './rules.ts';
import { rules } from './rules.ts';

/** What a Dockerfile says of its own checking: `# check=skip=JSONArgsRecommended;error=true`. */
export interface CheckOptions {
  skip: 'all' | ReadonlySet<string>;
  /** Rules asked for that do not speak by themselves. */
  experimental: 'all' | ReadonlySet<string>;
  /** A warning fails the build. */
  error: boolean;
}

const none: CheckOptions = { skip: new Set(), experimental: new Set(), error: false };

/** @throws EngineError `invalid` in BuildKit's words */
export function parseCheckOptions(text: string): CheckOptions {
  const trimmed = text.trim();
  if (trimmed === '') return none;
  const options = { ...none };
  for (const part of trimmed.split(';')) {
    const equals = part.indexOf('=');
    if (equals < 0) throw new EngineError('invalid', `invalid check option ${JSON.stringify(part)}`);
    const key = part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    if (key === 'skip' || key === 'experimental') options[key] = namesOf(value);
    else if (key === 'error') options.error = readBoolean(part, value);
    else throw new EngineError('invalid', `invalid check option ${JSON.stringify(key)}`);
  }
  return options;
}

/** The options of a file, and on top of them those in the comments before one instruction. */
export function withComments(options: CheckOptions, comments: readonly string[]): CheckOptions {
  for (const comment of comments) {
    const match = /^check\s*=\s*(\S+)/i.exec(comment);
    if (match === null) continue;
    try {
      return merged(options, parseCheckOptions(match[1]!));
    } catch {
      // Such a comment is no more than a comment.
      return options;
    }
  }
  return options;
}

/** Whether a finding is told, and as what: `advice` beside the warnings, or one of them. */
export function standingOf(finding: Finding, options: CheckOptions): 'warning' | 'advice' | undefined {
  const { standing }: Rule = rules[finding.rule];
  const asked = options.experimental === 'all' || options.experimental.has(finding.rule);
  const skipped = options.skip === 'all' || options.skip.has(finding.rule);
  if (standing === 'experimental') return asked ? 'warning' : undefined;
  if (skipped) return undefined;
  return standing === 'advice' && !asked ? 'advice' : 'warning';
}

function merged(outer: CheckOptions, inner: CheckOptions): CheckOptions {
  return {
    skip: union(outer.skip, inner.skip),
    experimental: union(outer.experimental, inner.experimental),
    error: outer.error,
  };
}

function union(a: CheckOptions['skip'], b: CheckOptions['skip']): CheckOptions['skip'] {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

function namesOf(value: string): CheckOptions['skip'] {
  return value === 'all' ? 'all' : new Set(value.split(',').map(name => name.trim()));
}

function readBoolean(part: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new EngineError('invalid', `failed to parse check option ${JSON.stringify(part)}: ${reason}`);
}
