import type { Evidence } from './evidence.ts';
import { diagnoseExit } from './exits.ts';
import type { Check, Finding } from './finding.ts';
import { diagnoseHealth } from './health.ts';
import { diagnoseMemory } from './memory.ts';
import { diagnoseNames } from './names.ts';
import { diagnosePermissions } from './permissions.ts';
import { diagnosePorts } from './ports.ts';
import { diagnoseReach } from './reach.ts';
import { diagnoseSpace } from './space.ts';

const checks: Record<Check, (evidence: Evidence) => Finding[]> = {
  memory: diagnoseMemory,
  space: diagnoseSpace,
  permissions: diagnosePermissions,
  names: diagnoseNames,
  exit: diagnoseExit,
  health: diagnoseHealth,
  ports: diagnosePorts,
  reach: diagnoseReach,
};

export interface Diagnosis {
  /** Causes before what follows from them, problems before notes. */
  findings: Finding[];
  checked: Check[];
}

/** Everything that is wrong with a container, as far as the evidence goes. */
export function diagnose(evidence: Evidence): Diagnosis {
  const checked = (Object.keys(checks) as Check[]).filter(check => isChecked(check, evidence));
  const findings = checked.flatMap(check => checks[check](evidence));
  const bySeverity = (severity: Finding['severity']) => findings.filter(one => one.severity === severity);
  return { findings: [...bySeverity('problem'), ...bySeverity('note')], checked };
}

/** What runs has no exit, what does not run no sockets. */
function isChecked(check: Check, { status, health, reach, names }: Evidence): boolean {
  const running = status === 'running';
  if (check === 'exit') return !running;
  if (check === 'health') return running && health !== undefined;
  if (check === 'ports') return running;
  if (check === 'names') return running || names.lookups.length > 0;
  return check !== 'reach' || reach !== undefined;
}
