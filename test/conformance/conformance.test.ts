import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { DaemonKind } from '../support/daemon.ts';
import { type Answer, compareAnswers } from './compare.ts';
import { type Golden, readGolden, writeGolden } from './golden.ts';
import { detailed, nameOf, type Scenario } from './scenario.ts';
import { groups } from './scenarios.ts';
import { dockerdInstalled, Target } from './target.ts';

// GANTRY_CONFORMANCE=reference,subject chooses the two sides: dockerd, gantryd, or golden (recorded
// answers) as the reference. `dockerd,dockerd` proves the scenarios themselves; GANTRY_RECORD=1 writes
// what dockerd said to golden/.
const chosen = process.env['GANTRY_CONFORMANCE'] ?? `${dockerdInstalled() ? 'dockerd' : 'golden'},gantryd`;
const [reference, subject] = chosen.split(',') as [DaemonKind | 'golden', DaemonKind];
const recording = process.env['GANTRY_RECORD'] === '1';
/** Scenarios in flight at once: two daemons and their clients share the machine. */
const lanes = Number(process.env['GANTRY_CONFORMANCE_LANES'] ?? 4);

describe(`conformance: ${subject} answers as ${reference}`, () => {
  let left: Target | undefined;
  let right: Target;

  before(async () => {
    assertNamesDiffer();
    right = await Target.start(subject);
    if (reference !== 'golden') left = await Target.start(reference);
  });
  after(async () => {
    await Promise.all([left?.stop(), right?.stop()]);
  });

  const check = (group: string, golden: Golden, scenario: Scenario): Promise<void> =>
    test(`${group}: ${scenario.name}`, async () => {
      const [wanted, got] = await Promise.all([answersOf(left, golden, scenario), right.play(scenario)]);
      if (recording)
        golden[scenario.name] = { lines: scenario.steps.map(step => detailed(step).run), answers: wanted };
      const found = differences(scenario, wanted, got, recordedAnswers(golden, scenario));
      if (found.length > 0) throw new Mismatch(found);
    });

  const recorded = new Map(Object.keys(groups).map(group => [group, readGolden(group)]));
  const all = Object.entries(groups).flatMap(([group, scenarios]) =>
    scenarios.map(scenario => ({ group, scenario })),
  );
  describe('side by side', { concurrency: lanes }, () => {
    for (const { group, scenario } of all) {
      if (!scenario.alone) check(group, recorded.get(group)!, scenario);
    }
  });
  describe('one at a time', { concurrency: 1 }, () => {
    for (const { group, scenario } of all) {
      if (scenario.alone) check(group, recorded.get(group)!, scenario);
    }
  });
  after(() => {
    if (!recording) return;
    for (const [group, golden] of recorded) writeGolden(group, golden, groups[group]!);
  });
});

async function answersOf(target: Target | undefined, golden: Golden, scenario: Scenario): Promise<Answer[]> {
  if (target) return target.play(scenario);
  const known = golden[scenario.name];
  assert.ok(known, 'nothing is recorded for this scenario: record it with a dockerd installed');
  assert.deepEqual(
    known.lines,
    scenario.steps.map(step => detailed(step).run),
    'the scenario has changed since it was recorded',
  );
  return known.answers;
}

/** What dockerd said when it was recorded, if these very lines were; nothing when it is dockerd that is asked. */
function recordedAnswers(golden: Golden, scenario: Scenario): readonly Answer[] | undefined {
  const known = subject === 'dockerd' ? undefined : golden[scenario.name];
  const lines = scenario.steps.map(step => detailed(step).run);
  return known !== undefined && isDeepStrictEqual(known.lines, lines) ? known.answers : undefined;
}

/**
 * Step by step. Where dockerd's answer is chance (what it says of two things that happen at once), the recorded one is
 * as good as today's: both are dockerd's. That goes for a dockerd whose setting up fails by chance, too (20.10 sometimes
 * loses an image between two steps of a build).
 */
function differences(
  scenario: Scenario,
  wanted: readonly Answer[],
  got: readonly Answer[],
  recorded: readonly Answer[] | undefined,
): string[] {
  return scenario.steps.map(detailed).flatMap((step, index) => {
    if (step.setup && reference !== 'golden' && wanted[index]!.code !== 0 && recorded === undefined) {
      return [`step ${index + 1}: setting up failed on the reference: ${wanted[index]!.stderr}`];
    }
    // Between two dockerds a known difference is none.
    const asked = subject === 'dockerd' ? { ...step, differs: undefined } : step;
    const found = compareAnswers(asked, wanted[index]!, got[index]!);
    const before = recorded?.[index];
    const agrees = found.length === 0 || (before && compareAnswers(asked, before, got[index]!).length === 0);
    return agrees ? [] : [`step ${index + 1}: ${step.run}`, ...found.map(line => `    ${line}`)];
  });
}

function assertNamesDiffer(): void {
  const names = Object.values(groups).flat().map(nameOf);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  assert.deepEqual(twice, [], 'two scenarios would share a name');
  for (const name of names) {
    // Clean-up and name filters go by prefix.
    const longer = names.filter(other => other.startsWith(`${name}-`));
    assert.deepEqual(longer, [], `${name} is the beginning of another scenario's name`);
  }
}

/** A failure whose text is the differences and nothing else: a stack of the runner says nothing. */
class Mismatch extends Error {
  override readonly name = 'Mismatch';

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.stack = lines.join('\n');
  }
}
