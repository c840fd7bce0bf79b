/**
 * One behaviour, as lines of shell that are run against two daemons and must say the same.
 *
 * Each line runs in `sh` with a folder of its own as working directory, the real `docker` in PATH, and
 *
 *     $N         a name that belongs to this scenario alone: `--name $N`, `--name $N-2`
 *     $REG       the registry beside the daemon, localhost:5000
 *     $HOST      the machine's own IPv4 address where the daemon runs
 *     api M P [curl arguments]   one raw request; prints the body, then the status on a line of its own
 *     net CMD    runs a program in the daemon's network namespace: `net curl -s 127.0.0.1:8080`
 *     daemon CMD runs a program where the daemon runs, with its mounts and processes
 *
 * Containers, networks and volumes whose names begin with $N are removed afterwards.
 */
export interface Scenario {
  name: string;
  /** Files put into the working directory first, by relative path. */
  files?: Record<string, string>;
  steps: Step[];
  /** It looks at the whole daemon (df, prune, all images), so nothing else may run beside it. */
  alone?: boolean;
}

export type Step = string | DetailedStep;

export interface DetailedStep {
  run: string;
  /** What is compared; everything unless said otherwise. */
  compare?: ('stdout' | 'stderr' | 'code')[];
  /** stdout is JSON: every key the reference has must be there with an equal value; more keys are allowed. */
  json?: boolean;
  /** JSON paths left out, as `NetworkSettings.Ports` or with `*` for one part. */
  ignore?: string[];
  /** The reference's stderr is the beginning of Gantry's, which may go on, with an excerpt for example. */
  goesOn?: boolean;
  /** Lines of stdout come in no certain order. */
  sorted?: boolean;
  /** Applied to stdout and stderr before the general normalisation. */
  replace?: [RegExp, string][];
  /** Not compared at all, but it must end with 0 on both sides. */
  setup?: boolean;
  timeoutMs?: number;
  /** The reference is known to be different from today's Docker: Gantry is held to this instead. */
  differs?: Difference;
}

/** Where Debian's dockerd 20.10 says what newer versions changed, or what depends on the host. */
export interface Difference {
  reason: string;
  code?: number;
  stdout?: RegExp;
  stderr?: RegExp;
}

export function detailed(step: Step): DetailedStep {
  return typeof step === 'string' ? { run: step } : step;
}

/** The name a scenario's own containers begin with: `run: exit codes` becomes `run-exit-codes`. */
export function nameOf(scenario: Scenario): string {
  return scenario.name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
    .replace(/-$/, '');
}
