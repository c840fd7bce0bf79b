import {
  type historyEvent,
  historyEventType,
  type historyRecord,
  type historyRequest,
} from '../../api/buildkit/control.ts';
import { statusMessage, timestampOf } from '../../api/buildkit/well-known.ts';
import type { InitOf, MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';
import { goDurationOf } from '../../stdx/go-duration.ts';
import type { RunningBuild, RunningBuilds } from './builds.ts';
import { fieldFilter, splitFilter } from './field-filters.ts';

type HistoryEvent = InitOf<typeof historyEvent>;

/** The builds under way and those that are over, and unless `earlyExit` what becomes of them from now on. */
export async function* listenHistory(
  builds: RunningBuilds,
  request: MessageOf<typeof historyRequest>,
  signal: AbortSignal,
): AsyncGenerator<HistoryEvent> {
  const matches = historyFilter(request.filters, Date.now());
  const wanted = (build: RunningBuild): boolean =>
    !build.internal && (request.ref === '' || request.ref === build.ref) && matches(build);
  // From here on, so that nothing between the list and what follows is missed.
  const changes = request.earlyExit ? undefined : builds.changes(signal);
  const listed = builds
    .list()
    .filter(build => wanted(build) && !(request.activeOnly && build.completedMs !== undefined));
  for (const build of limited(listed, request.limit)) yield eventOf(build);
  if (changes === undefined) return;
  for await (const { build, what } of changes) {
    if (!wanted(build)) continue;
    if (what === 'forgotten') yield { type: historyEventType.deleted, record: { ref: build.ref } };
    else yield eventOf(build, what === 'ended');
  }
}

/** The newest, newest first; 0 is all, oldest first. */
function limited(builds: RunningBuild[], limit: number): RunningBuild[] {
  if (limit === 0) return builds;
  if (limit < 0) throw new EngineError('invalid', `invalid limit ${limit}`);
  return builds.sort((a, b) => b.createdMs - a.createdMs).slice(0, limit);
}

function eventOf(build: RunningBuild, completed = build.completedMs !== undefined): HistoryEvent {
  return {
    type: completed ? historyEventType.complete : historyEventType.started,
    record: recordOf(build),
  };
}

/** `status==error`, `ref~=abc`, `duration>1s`, `startedAt>24h`: a time so long ago, or RFC 3339's. */
function historyFilter(filters: readonly string[], nowMs: number): (build: RunningBuild) => boolean {
  const alternatives = filters
    .filter(filter => filter !== '')
    .map(filter => {
      const parts = splitFilter(filter);
      const compared = parts.map(part => comparison(part, nowMs));
      const fields = parts.filter((_, index) => compared[index] === undefined);
      const ofFields = fieldFilter([fields.join(',')], 'history', readBuild);
      return [...compared.filter(one => one !== undefined), ofFields];
    });
  return build => alternatives.length === 0 || alternatives.some(all => all.every(one => one(build)));
}

/** undefined: it is no comparison of times. */
function comparison(text: string, nowMs: number): ((build: RunningBuild) => boolean) | undefined {
  const [, name, operator = '', value = ''] =
    /^\s*(startedAt|completedAt|duration)\s*(>=|<=|>|<)\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === undefined) return undefined;
  const wantedMs = name === 'duration' ? durationMs(value) : timeMs(value, nowMs);
  return build => {
    const { createdMs, completedMs } = build;
    // What is not over yet has neither an end nor a duration: they count as nothing.
    const foundMs =
      name === 'startedAt'
        ? createdMs
        : completedMs === undefined
          ? 0
          : name === 'completedAt'
            ? completedMs
            : completedMs - createdMs;
    if (operator === '>=') return foundMs >= wantedMs;
    if (operator === '<=') return foundMs <= wantedMs;
    return operator === '>' ? foundMs > wantedMs : foundMs < wantedMs;
  };
}

function durationMs(text: string): number {
  const durationNs = goDurationOf(text);
  if (durationNs === undefined) throw new EngineError('invalid', `invalid duration ${text}`);
  return durationNs / 1e6;
}

function timeMs(text: string, nowMs: number): number {
  const agoNs = goDurationOf(text);
  if (agoNs !== undefined) return nowMs - agoNs / 1e6;
  const parsed = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(parsed)) throw new EngineError('invalid', `invalid time ${text}`);
  return parsed;
}

function readBuild(build: RunningBuild, name: string): string | undefined {
  if (name === 'ref') return build.ref;
  if (name === 'status') {
    if (build.completedMs === undefined) return 'running';
    if (build.error === undefined) return 'completed';
    return build.error.message.includes('context canceled') ? 'canceled' : 'error';
  }
  return name === 'repository' ? build.options.get('vcs:source') : undefined;
}

function recordOf(build: RunningBuild): InitOf<typeof historyRecord> {
  const { ref, createdMs, completedMs, vertices, error, exporters, answer, options, pinned } = build;
  const details = error?.details === undefined ? [] : statusMessage.decode(error.details).details;
  return {
    ref,
    frontend: 'dockerfile.v0',
    frontendAttributes: options,
    exporters,
    createdAt: timestampOf(createdMs),
    ...(completedMs === undefined ? {} : { completedAt: timestampOf(completedMs) }),
    ...(error === undefined ? {} : { error: { code: error.code, text: error.message, details } }),
    exporterResponse: answer,
    pinned,
    numCachedSteps: vertices.cached,
    numCompletedSteps: vertices.completed,
    numTotalSteps: vertices.total,
    numWarnings: vertices.warnings,
  };
}
