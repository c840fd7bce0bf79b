/** One way in that a registry offers in WWW-Authenticate (RFC 7235, section 4.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  scheme: string;
  /** Names in lower case: realm, service, scope, error. */
  parameters: Record<string, string>;
}

/**
 * Reads WWW-Authenticate, also several challenges in one value:
 *
 *     Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull", Basic realm="x"
 *
 * What cannot be read is left out: a registry's odd header is the same as none.
 */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap(parseValue);
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`^(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`);
const schemePattern = new RegExp(`^(${token})(?:[ \\t]+|$|(?=,))`);

function parseValue(value: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = value;
  for (;;) {
    rest = rest.replace(/^[\s,]+/, '');
    if (rest === '') return challenges;
    const parameter = parameterPattern.exec(rest);
    const current = challenges.at(-1);
    if (parameter !== null && current !== undefined) {
      const [all, name, quoted, plain] = parameter;
      current.parameters[name!.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain!;
      rest = rest.slice(all.length);
      continue;
    }
    const scheme = schemePattern.exec(rest);
    if (scheme === null) return challenges;
    challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters: {} });
    rest = rest.slice(scheme[0].length);
  }
}
