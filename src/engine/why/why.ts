import type { EngineContext } from '../context.ts';
import { collect, type WhyOptions } from './collect.ts';
import { type Diagnosis, diagnose } from './diagnose.ts';

export interface WhyAnswer extends Diagnosis {
  name: string;
  status: string;
}

/**
 * Says what is wrong with a container: looks (collect), then thinks (diagnose).
 * @throws notFound for the container, or the one it shall reach
 */
export async function explainContainer(
  context: EngineContext,
  ref: string,
  options: WhyOptions,
): Promise<WhyAnswer> {
  const record = context.containers.get(ref);
  const evidence = await collect(context, record, options);
  return { name: record.name, status: evidence.status, ...diagnose(evidence) };
}
