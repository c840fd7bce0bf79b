import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/**
 * Runs the groups one after the other, in order of speed, and closes with one count over all of them. A word that is no
 * group chooses files when it is part of a file's name (or, with a slash, of its path), else tests by their names.
 */
const repository = join(import.meta.dirname, '..');

interface Group {
  files: string[];
  /** Test files at the same time. What compares the machine before and after must be alone on it. */
  concurrency: number;
  timeoutMs: number;
  /** Only when it is named: it takes longer than all the others together. */
  onDemand?: boolean;
}

const groups: Record<string, Group> = {
  checks: { files: ['test/checks.test.ts'], concurrency: 1, timeoutMs: 300_000 },
  unit: {
    files: [
      'test/architecture.test.ts',
      'test/support/*.test.ts',
      'test/conformance/compare.test.ts',
      'test/conformance/golden.test.ts',
      'test/templates/*.test.ts',
      'src/**/*.test.ts',
      'examples/*/src/**/*.test.ts',
    ],
    concurrency: Math.max(2, availableParallelism()),
    timeoutMs: 120_000,
  },
  kernel: { files: ['test/kernel/*.test.ts'], concurrency: 1, timeoutMs: 300_000 },
  conformance: { files: ['test/conformance/conformance.test.ts'], concurrency: 1, timeoutMs: 900_000 },
  dockerfiles: { files: ['test/dockerfiles/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  examples: {
    files: ['test/dockerfiles/examples/*.test.ts'],
    concurrency: 1,
    timeoutMs: 3_600_000,
    onDemand: true,
  },
  // The projects of examples/: databases, proxies and Prometheus from packages of Debian.
  projects: { files: ['test/projects/*.test.ts'], concurrency: 1, timeoutMs: 3_600_000, onDemand: true },
  // Each has a machine of its own.
  e2e: { files: ['test/e2e/*.test.ts'], concurrency: 2, timeoutMs: 600_000 },
  // Real firewalls, from a Debian of their own.
  firewalls: { files: ['test/firewalls/*.test.ts'], concurrency: 1, timeoutMs: 1_800_000, onDemand: true },
  disks: { files: ['test/disks/*.test.ts'], concurrency: 1, timeoutMs: 2_000_000, onDemand: true },
  links: { files: ['test/links/*.test.ts'], concurrency: 1, timeoutMs: 2_000_000, onDemand: true },
  cgroup2: { files: ['test/cgroup2/*.test.ts'], concurrency: 1, timeoutMs: 4_000_000, onDemand: true },
};

interface Counts {
  tests: number;
  passed: number;
  failed: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

const total: Counts = { tests: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
/** What failed and why, to be said once more at the end: whoever sees only the last lines sees these. */
const failures: string[] = [];
const started = performance.now();
const words = process.argv.slice(2);
if (words.includes('--record')) process.env['GANTRY_RECORD'] = '1';
const named = words.filter(word => word in groups);
const usual = Object.keys(groups).filter(name => groups[name]!.onDemand !== true);
const chosen = named.length > 0 ? named : usual;
const patterns = words.filter(word => !(word in groups) && !word.startsWith('--'));
const ofFiles = patterns.filter(word => chosen.some(name => filesOf(groups[name]!).some(isNamed(word))));
const ofTests = patterns.filter(word => !ofFiles.includes(word));
/** Tests that ran: without those that other names left out, and without the one that Node makes of each file. */
let ran = 0;

for (const name of chosen) {
  const ok = await runGroup(name, groups[name]!);
  if (!ok) process.exitCode = 1;
}
reportTotal();
if (ran === 0) {
  console.log(`no test has a name with ${ofTests.map(word => JSON.stringify(word)).join(' or ')}`);
  process.exitCode = 1;
}

function filesOf(group: Group): string[] {
  return group.files.flatMap(pattern => globSync(pattern, { cwd: repository })).sort();
}

function isNamed(word: string): (file: string) => boolean {
  return file => (word.includes('/') ? file : basename(file)).includes(word);
}

function runGroup(name: string, group: Group): Promise<boolean> {
  const files = filesOf(group)
    .filter(file => ofFiles.length === 0 || ofFiles.some(word => isNamed(word)(file)))
    .map(file => join(repository, file));
  if (files.length === 0) return Promise.resolve(true);
  console.log(`\n── ${name}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  const events = run({
    files,
    concurrency: group.concurrency,
    timeout: group.timeoutMs,
    ...(ofTests.length > 0 && { testNamePatterns: ofTests }),
  });
  let success = true;
  const count = ({ name: test, details }: { name: string; details: { type?: string } }) => {
    if (details.type !== 'suite' && !files.includes(test)) ran++;
  };
  events.on('test:pass', count);
  events.on('test:fail', count);
  events.on('test:summary', summary => {
    if (summary.file !== undefined) return;
    success = summary.success;
    const { tests, passed, cancelled, skipped, todo } = summary.counts;
    const failed = tests - passed - cancelled - skipped - todo;
    const counts: Counts = { tests, passed, failed, cancelled, skipped, todo };
    for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key];
  });
  events.on('test:fail', ({ name: test, details }) => {
    const error = details.error as Error & { failureType?: string };
    if (error.failureType !== 'subtestsFailed')
      failures.push(`✖ ${name}: ${test}\n${reasonOf(error.cause ?? error)}`);
  });
  const report = events.compose(spec);
  report.pipe(process.stdout, { end: false });
  return new Promise(resolve => report.on('end', () => resolve(success)));
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = text.split('\n');
  const shown = lines.length > 60 ? [...lines.slice(0, 60), `(${lines.length - 60} more lines)`] : lines;
  return shown.map(line => `    ${line}`).join('\n');
}

function reportTotal(): void {
  if (failures.length > 0) console.log(`\n── what failed\n${failures.join('\n')}`);
  console.log('\n── all groups');
  console.log(`ℹ tests ${total.tests}`);
  console.log(`ℹ pass ${total.passed}`);
  console.log(`ℹ fail ${total.failed}`);
  console.log(`ℹ cancelled ${total.cancelled}`);
  console.log(`ℹ skipped ${total.skipped}`);
  console.log(`ℹ todo ${total.todo}`);
  console.log(`ℹ duration_ms ${Math.round(performance.now() - started)}`);
}
