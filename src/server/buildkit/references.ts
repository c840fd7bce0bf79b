import { createHash } from 'node:crypto';
import { type definitionMessage, operationMessage } from '../../api/buildkit/ops.ts';
import type { InitOf, MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';

const scheme = 'gantry-image://';

/**
 * A build's result as a graph that clients can carry to another build (bake's `target:` contexts). BuildKit's would
 * say how to make it; ours names the image that was made.
 */
export function definitionOfImage(imageId: string): InitOf<typeof definitionMessage> {
  const source = operationMessage.encode({ source: { identifier: `${scheme}${imageId}` } });
  const digest = `sha256:${createHash('sha256').update(source).digest('hex')}`;
  const result = operationMessage.encode({ inputs: [{ digest }] });
  return { operations: [source, result] };
}

/** @throws EngineError `notImplemented` for a graph that is not one of ours */
export function imageOfDefinition(definition: MessageOf<typeof definitionMessage>): string {
  const [first] = definition.operations;
  const identifier = first === undefined ? '' : (operationMessage.decode(first).source?.identifier ?? '');
  if (!identifier.startsWith(scheme)) {
    throw new EngineError('notImplemented', `an input of ${identifier || 'LLB'} is not supported`);
  }
  return identifier.slice(scheme.length);
}
