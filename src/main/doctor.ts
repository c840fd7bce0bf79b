import { parseArgs } from 'node:util';
import { defaultHost } from '../cli/session.ts';
import { messageOf } from '../stdx/errors.ts';
import { defaultDataRoot } from '../storage/paths.ts';
import { diagnose, type Finding } from './doctor-checks.ts';
import { readHostFacts } from './doctor-facts.ts';

const usage = `Usage:  gantry doctor [OPTIONS]

Report whether this host can run containers

Options:
      --data-root string   Root directory of persistent state (default "/var/lib/gantry")
      --format string      Format output: 'table' or 'json' (default "table")
`;

const marks = { ok: 'ok     ', warning: 'warning', missing: 'MISSING' } as const;

function describe(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ name, state, evidence, remedy }) => {
    const line = `${marks[state]}  ${name.padEnd(16)} ${evidence}`;
    return remedy === undefined ? [line] : [line, `${' '.repeat(26)}mend it: ${remedy}`];
  });
  return `${lines.join('\n')}\n`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'data-root': { type: 'string', default: defaultDataRoot },
      format: { type: 'string', default: 'table' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.format !== 'table' && values.format !== 'json')
    throw new Error(`--format ${values.format} is neither table nor json`);
  const address = process.env['GANTRY_HOST'] || process.env['DOCKER_HOST'] || defaultHost;
  const findings = diagnose(await readHostFacts(address, values['data-root']));
  process.stdout.write(
    values.format === 'json' ? `${JSON.stringify(findings, undefined, 2)}\n` : describe(findings),
  );
  return findings.some(({ state }) => state === 'missing') ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`gantry doctor: ${messageOf(error)}\n`);
  process.exitCode = 125;
}
