import { sourceExcerpt } from '../../stdx/source-excerpt.ts';
import type { DockerfileError, DockerfileSource, LineRange } from '../dockerfile/errors.ts';
import type { LintResult, LintWarning } from './lint.ts';

/**
 * `result.json` of BuildKit's request `frontend.lint` (frontend/subrequests/lint), from which clients print what
 * `build --check` says. `advice` is ours; other clients do not see it.
 */
export interface LintReport {
  warnings: ReportedWarning[] | null;
  advice: ReportedWarning[];
  sources: { filename: string; language: 'Dockerfile'; data: string }[];
  buildError?: { message: string; location: ReportedLocation };
}

export interface ReportedWarning {
  ruleName: string;
  description?: string;
  url?: string;
  detail?: string;
  location: ReportedLocation;
}

/** Go leaves out what is 0: there is no `sourceIndex` for the first source. */
export interface ReportedLocation {
  sourceIndex?: number;
  ranges?: { start: { line: number }; end: { line: number } }[];
}

/** @param error why the Dockerfile cannot be built; then there may be nothing else to tell. */
export function lintReport(
  source: DockerfileSource,
  result: LintResult,
  error?: Error | DockerfileError,
): LintReport {
  return {
    warnings: result.warnings.length === 0 ? null : result.warnings.map(reported),
    advice: result.advice.map(reported),
    sources: [
      {
        filename: source.file,
        language: 'Dockerfile',
        data: Buffer.from(source.text).toString('base64'),
      },
    ],
    ...(error === undefined ? {} : { buildError: reportedError(error) }),
  };
}

/** The report on a Dockerfile that cannot be parsed. */
export function failedReport(source: DockerfileSource, error: Error | DockerfileError): LintReport {
  return lintReport(source, { warnings: [], advice: [], fails: false }, error);
}

function reportedError(error: Error | DockerfileError): LintReport['buildError'] {
  if ('bare' in error) return { message: error.bare, location: locationOf(error.lines) };
  return { message: error.message, location: {} };
}

/** `result.statuscode` */
export function statusOf(report: LintReport): number {
  return report.warnings !== null || report.buildError !== undefined ? 1 : 0;
}

/** `result.txt`: the warnings as `build --check` prints them. */
export function warningsText(source: DockerfileSource, { warnings }: LintResult): string {
  return warnings.map(warning => warningText(source, warning)).join('');
}

/**
 *     WARNING: JSONArgsRecommended - https://docs...
 *     JSON arguments recommended for CMD to prevent ...
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM busybox
 *        2 | >>> CMD echo
 *     --------------------
 */
function warningText(source: DockerfileSource, { rule, url, detail, lines }: LintWarning): string {
  return `\nWARNING: ${rule}${url === '' ? '' : ` - ${url}`}\n${detail}\n${sourceExcerpt(source.file, source.text, lines)}`;
}

function reported({ rule, description, url, detail, lines }: LintWarning): ReportedWarning {
  return {
    ruleName: rule,
    description,
    ...(url === '' ? {} : { url }),
    detail,
    location: locationOf(lines),
  };
}

function locationOf(lines: LineRange | undefined): ReportedLocation {
  if (lines === undefined) return {};
  return { ranges: [{ start: { line: lines.first }, end: { line: lines.last } }] };
}
