import type { Method } from '../../api/buildkit/service.ts';
import type { GrpcCall, GrpcHandler } from '../../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { Fields, Init, InitOf, MessageOf, MessageType } from '../../api/protobuf.ts';

/** Handlers by path. */
export type MethodTable = readonly (readonly [path: string, handler: GrpcHandler])[];

/** A method with one message each way. */
export function unary<In extends Fields, Out extends Fields>(
  { path, request, response }: Method<In, Out>,
  handle: (message: MessageOf<MessageType<In>>, call: GrpcCall) => Promise<InitOf<MessageType<Out>>>,
): [string, GrpcHandler] {
  return [
    path,
    async call => {
      const answer = await handle(await onlyMessage(request, call), call);
      await call.send(response.encode(answer as Init<Out>));
    },
  ];
}

/** A method that is asked once and answers with any number of messages. */
export function streaming<In extends Fields, Out extends Fields>(
  { path, request, response }: Method<In, Out>,
  handle: (message: MessageOf<MessageType<In>>, call: GrpcCall) => AsyncIterable<InitOf<MessageType<Out>>>,
): [string, GrpcHandler] {
  return [
    path,
    async call => {
      for await (const answer of handle(await onlyMessage(request, call), call)) {
        await call.send(response.encode(answer as Init<Out>));
      }
    },
  ];
}

async function onlyMessage<In extends Fields>(
  type: MessageType<In>,
  { messages }: GrpcCall,
): Promise<MessageOf<MessageType<In>>> {
  const { value, done } = await messages.next();
  if (done === true) throw new GrpcError(grpcCode.internal, 'the call has no message');
  try {
    return type.decode(value) as MessageOf<MessageType<In>>;
  } catch (error) {
    throw new GrpcError(grpcCode.invalidArgument, (error as Error).message, { cause: error });
  }
}
