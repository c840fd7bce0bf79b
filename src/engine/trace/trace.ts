import type { EngineContext } from '../context.ts';
import { collectTrace, type TraceTarget } from './collect.ts';
import { type TraceStep, walk } from './walk.ts';

export type { TraceTarget } from './collect.ts';

export interface Trace {
  from: string;
  /** `db:5432` */
  to: string;
  steps: TraceStep[];
}

/** Errors: notFound, conflict (it does not run). */
export async function traceFrom(context: EngineContext, ref: string, target: TraceTarget): Promise<Trace> {
  const evidence = await collectTrace(context, context.containers.get(ref), target);
  const { host, port } = target;
  const to = port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { from: evidence.from, to, steps: walk(evidence) };
}
