import type { TraceResponse } from '../../api/trace.ts';
import type { Trace } from '../../engine/trace/trace.ts';

export function traceToWire({ from, to, steps }: Trace): TraceResponse {
  return {
    From: from,
    To: to,
    Steps: steps.map(({ check, passes, said, seen, mend }) => ({
      Check: check,
      Passes: passes,
      Said: said,
      Evidence: seen,
      Mend: mend,
    })),
  };
}
