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
  const digest = digestOf(source);
  const result = operationMessage.encode({ inputs: [{ digest }] });
  // Clients take a graph without descriptions for none.
  const metadata = { [digest]: { description: { image: imageId } }, [digestOf(result)]: {} };
  return { operations: [source, result], metadata };
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

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
