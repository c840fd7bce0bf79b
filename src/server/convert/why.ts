import type { WhyResponse } from '../../api/why.ts';
import { type Check, checkSubjects } from '../../engine/why/finding.ts';
import type { WhyAnswer } from '../../engine/why/why.ts';

export function whyToWire({ name, status, findings, checked }: WhyAnswer): WhyResponse {
  return {
    Name: name,
    Status: status,
    Findings: findings.map(({ check, severity, title, evidence, mend }) => ({
      Check: check,
      Severity: severity,
      Title: title,
      Evidence: evidence,
      Mend: mend,
    })),
    Checked: checked.map((check: Check) => checkSubjects[check]),
  };
}
