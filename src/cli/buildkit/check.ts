import { EngineError } from '../../stdx/errors.ts';
import { sourceExcerpt } from '../../stdx/source-excerpt.ts';
import { ExitError } from '../errors.ts';
import type { Session } from '../session.ts';

interface Report {
  warnings?: ReportedWarning[] | null;
  /** Gantry's own. */
  advice?: ReportedWarning[];
  sources?: { filename?: string; data?: string }[];
  buildError?: { message?: string; location?: ReportedLocation };
}

interface ReportedWarning {
  ruleName?: string;
  url?: string;
  detail?: string;
  location?: ReportedLocation;
}

interface ReportedLocation {
  sourceIndex?: number;
  ranges?: { start?: { line?: number }; end?: { line?: number } }[];
}

/** Prints what a linter answered, as buildx does, and Gantry's advice below it. @returns the exit status */
export function printCheck(
  answer: ReadonlyMap<string, Buffer>,
  format: string,
  { out }: Pick<Session, 'out'>,
): number {
  const json = answer.get('result.json')?.toString();
  if (json === undefined) throw new EngineError('unavailable', 'the daemon has not checked the Dockerfile');
  const status = Number(answer.get('result.statuscode')?.toString() ?? 0);
  if (format === 'json') {
    out.line(json);
    return status;
  }
  const report = JSON.parse(json) as Report;
  const warnings = sorted(report.warnings ?? []);
  const advice = sorted(report.advice ?? []);
  if (warnings.length === 1) out.line('Check complete, 1 warning has been found!');
  else if (warnings.length > 1) out.line(`Check complete, ${warnings.length} warnings have been found!`);
  for (const warning of warnings) out.write(warningText('WARNING', warning, report));
  if (report.buildError !== undefined) {
    const { message = '', location } = report.buildError;
    if (warnings.length > 0) out.line('');
    throw new ExitError(1, `ERROR: ${message}\n${excerptOf(location, report)}`.trimEnd());
  }
  if (warnings.length === 0) out.line('Check complete, no warnings found.');
  for (const one of advice) out.write(warningText('ADVICE', one, report));
  return status;
}

function sorted(warnings: readonly ReportedWarning[]): ReportedWarning[] {
  const line = ({ location }: ReportedWarning): number => location?.ranges?.[0]?.start?.line ?? 0;
  return [...warnings].sort((a, b) => line(a) - line(b));
}

function warningText(
  kind: string,
  { ruleName, url, detail, location }: ReportedWarning,
  report: Report,
): string {
  const link = url === undefined || url === '' ? '' : ` - ${url}`;
  return `\n${kind}: ${ruleName}${link}\n${detail}\n${excerptOf(location, report)}`;
}

function excerptOf(location: ReportedLocation | undefined, { sources }: Report): string {
  const source = sources?.[location?.sourceIndex ?? 0];
  const [range] = location?.ranges ?? [];
  if (source === undefined || range === undefined) return '';
  const first = range.start?.line ?? 0;
  const last = Math.max(first, range.end?.line ?? 0);
  return sourceExcerpt(source.filename ?? '', Buffer.from(source.data ?? '', 'base64').toString(), {
    first,
    last,
  });
}
