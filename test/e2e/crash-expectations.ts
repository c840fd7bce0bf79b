import type { RawApi } from './raw-api.ts';

/**
 * What a container does: it runs for ever; the same with a health check; it ends with an exit code; it is started again
 * and again by its restart policy; or because it is unhealthy.
 */
export type Kind = 'stays' | 'checked' | 'ends' | 'loops' | 'sick';

/**
 * What must be true of a container, as far as the daemon has said so; `maybe` when it was killed before it answered.
 * What is found running then is `settling`: a signal may be on its way to it.
 */
export interface Expected {
  name: string;
  kind: Kind;
  there: 'yes' | 'no' | 'maybe';
  run: 'stopped' | 'running' | 'settling' | 'maybe';
  /** What its program ends with by itself. */
  exitCode: number;
  /** Values that its variable WORD may have: more than one when the daemon was killed in an edit. */
  words: string[];
}

interface Inspected {
  Id: string;
  RestartCount: number;
  State: {
    Running: boolean;
    Status: string;
    ExitCode: number;
    StartedAt: string;
    FinishedAt: string;
    Health?: { Status: string };
  };
  Config: { Env: string[] };
}

/** Compares it with what is, and takes over what could not be known. Returns what is wrong. */
export async function verify(api: RawApi, expected: Expected): Promise<string[]> {
  const { name } = expected;
  const answer = await api.ask('GET', `/containers/${name}/json`);
  if (answer.status === 404) {
    const lost = expected.there === 'yes';
    expected.there = 'no';
    return lost ? [`${name} is lost`] : [];
  }
  const found = JSON.parse(answer.text) as Inspected;
  if (expected.there === 'no') return [`${name} was removed and is there: ${found.State.Status}`];
  expected.there = 'yes';
  const wrong = [...wordFaults(expected, found), ...(await runFaults(api, expected, found))];
  expected.run = runAfter(expected, found);
  // Cut between pause and unpause.
  if (found.State.Status === 'paused') await api.ask('POST', `/containers/${name}/unpause`);
  return wrong.map(line => `${name} (${expected.kind}) ${line}: ${JSON.stringify(found.State)}`);
}

function wordFaults(expected: Expected, found: Inspected): string[] {
  const word = found.Config.Env.find(text => text.startsWith('WORD='))?.slice('WORD='.length) ?? '';
  if (!expected.words.includes(word)) return [`has WORD=${word}, not ${expected.words.join(' or ')}`];
  expected.words = [word];
  return [];
}

function runAfter({ kind, run }: Expected, { State }: Inspected): Expected['run'] {
  const goesOn = State.Running || State.Status === 'restarting';
  if (run === 'maybe') return goesOn ? 'settling' : 'stopped';
  if (run === 'settling') return goesOn && kind !== 'ends' ? 'running' : goesOn ? 'settling' : 'stopped';
  return kind === 'ends' ? 'stopped' : run;
}

async function runFaults(api: RawApi, { name, kind, run, exitCode }: Expected, found: Inspected) {
  const { State } = found;
  const again = kind === 'loops' || kind === 'sick';
  const lasting = ['created', 'running', 'paused', 'exited', ...(again ? ['restarting'] : [])];
  if (!lasting.includes(State.Status)) return ['is in no lasting state'];
  if (run === 'stopped') return State.Running || State.Status === 'restarting' ? ['should not run'] : [];
  if (run !== 'running') return [];
  if (again) return State.Running || State.Status === 'restarting' ? [] : ['should run, or be about to'];
  if (found.RestartCount !== 0) return [`was restarted ${found.RestartCount} times`];
  if (kind === 'ends') return endFaults(api, name, exitCode);
  if (!State.Running) return ['should run'];
  return kind === 'checked' && State.Health?.Status === 'unhealthy' ? ['is well'] : [];
}

/** Of one that was started and ends by itself, which is waited for. */
async function endFaults(api: RawApi, name: string, exitCode: number): Promise<string[]> {
  const waited = await api.ask('POST', `/containers/${name}/wait`);
  const { StatusCode } = JSON.parse(waited.text) as { StatusCode: number };
  if (StatusCode !== exitCode) return [`should have ended with ${exitCode}, not ${StatusCode}`];
  const { State } = await api.json<Inspected>(`/containers/${name}/json`);
  if (State.ExitCode !== exitCode) return [`says ${State.ExitCode} to inspect, ${StatusCode} to wait`];
  if (!(Date.parse(State.FinishedAt) >= Date.parse(State.StartedAt))) return ['ended before it started'];
  const { text } = await api.ask('GET', `/containers/${name}/logs?stdout=1&tail=2`);
  return text.includes('first') && text.includes('last')
    ? []
    : [`has lost its log (${JSON.stringify(text)})`];
}
