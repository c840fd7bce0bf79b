/**
 * Takes out of an answer what must differ between two daemons, and nothing else. Ids are not blanked but
 * numbered in order of appearance through a whole scenario, so that `rm` printing another id than `ps`
 * is still a difference.
 */
export class Normaliser {
  readonly #numbers = new Map<string, number>();
  readonly #directory: string;
  readonly #world: string;

  /** `directory` is the scenario's working directory, `world` holds the daemon's roots: both appear in errors. */
  constructor(directory: string, world: string) {
    this.#directory = directory;
    this.#world = world;
  }

  text(text: string, replace: readonly [RegExp, string][] = []): string {
    let result = text
      .replace(/\r+\n/g, '\n')
      .replaceAll(this.#directory, '<directory>')
      .replaceAll(this.#world, '<world>');
    for (const [pattern, replacement] of replace) result = result.replace(pattern, replacement);
    result = result.replace(emptyBuildContainer, '');
    result = result.replace(
      /(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{12})(?![0-9a-f])/g,
      id => `<id ${this.#numberOf(id)}>`,
    );
    for (const { pattern, by } of general) result = result.replace(pattern, by as string);
    return result;
  }

  #numberOf(id: string): number {
    const short = id.slice(0, 12);
    let number = this.#numbers.get(short);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(short, number);
    }
    return number;
  }
}

/** dockerd runs a container for every build step, also where there is nothing to run: that is its own affair. */
const emptyBuildContainer =
  /^ ---> Running in [0-9a-f]{12}\n(?:Removing| ---> Removed) intermediate container [0-9a-f]{12}\n/gm;

const general: readonly { pattern: RegExp; by: string | ((match: string) => string) }[] = [
  {
    // The zero time means "never" and must stay visible.
    pattern: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g,
    by: match => (match.startsWith('0001-') ? match : '<time>'),
  },
  { pattern: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \+0000 UTC/g, by: '<time>' },
  { pattern: /(?:Less than a second|About (?:a|an) \w+|\d+ (?:seconds?|minutes?)) ago/g, by: '<ago>' },
  { pattern: /Up (?:Less than a second|About (?:a|an) \w+|\d+ (?:seconds?|minutes?))/g, by: 'Up <ago>' },
  { pattern: /\b02:42(?::[0-9a-f]{2}){4}\b/g, by: '<mac>' },
  { pattern: /\b172\.(?:1[6-9]|2\d|3[01])\.\d{1,3}\.\d{1,3}\b/g, by: '<address>' },
  { pattern: /\b192\.168\.\d{1,3}\.\d{1,3}\b/g, by: '<address>' },
  { pattern: /<world>\/(?:data|exec)[^\s":,]*/g, by: '<engine path>' },
  { pattern: /on endpoint [a-z]+_[a-z0-9]+ \(/g, by: 'on endpoint <name> (' },
  {
    pattern: /dial tcp[^\n"]*?(?=connection refused|i\/o timeout|no such host)/g,
    by: 'dial tcp <address>: ',
  },
  { pattern: /https?:\/\/[a-z0-9-]+\.docker\.(?:io|com)/g, by: '<hub>' },
  // The client's complaint that a refused upload was not read to its end: a matter of who is faster.
  { pattern: /^time="[^\n]*closed pipe"\n/gm, by: '' },
  { pattern: /^Sending build context to Docker daemon.*\n/gm, by: '' },
  { pattern: /^DEPRECATED: The legacy builder [\s\S]*?environment-variable\.\n\n?/, by: '' },
  { pattern: /dockerfile parse error on line/g, by: 'dockerfile parse error line' },
  { pattern: /^ ---> Removed intermediate container/gm, by: 'Removing intermediate container' },
  // Newer versions begin some messages in lower case.
  {
    pattern: /(?:Error response from daemon: |"message":")[A-Z](?=[a-z])/g,
    by: match => match.slice(0, -1) + match.at(-1)!.toLowerCase(),
  },
  // The way down to the runtime is told differently by each version; what the runtime said is not.
  {
    pattern:
      /(?:failed to create task for container: )?(?:failed to create shim task: )?OCI runtime (?:create|exec) failed: (?:(?:runc|crun) (?:create|exec) failed: )?/g,
    by: '<runtime>: ',
  },
  // Usage hints are the client's own and change with its version.
  { pattern: /^(?:Run|See) '?docker[^\n]*\n/gm, by: '' },
];
