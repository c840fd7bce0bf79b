/** Google's own message types. */
import {
  bytes,
  type InitOf,
  int32,
  int64,
  type MessageOf,
  message,
  repeated,
  single,
  string,
} from '../protobuf.ts';

export const timestampMessage = message({ seconds: single(1, int64), nanos: single(2, int32) });

export function timestampOf(timeMs: number): InitOf<typeof timestampMessage> {
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanos: Math.round((timeMs - seconds * 1000) * 1e6) };
}

export function timeMsOf(timestamp: MessageOf<typeof timestampMessage>): number {
  return timestamp.seconds * 1000 + timestamp.nanos / 1e6;
}

export const anyMessage = message({ typeUrl: single(1, string), value: single(2, bytes) });

/** google.rpc.Status: what gRPC sends of a failed call besides code and text. */
export const statusMessage = message({
  code: single(1, int32),
  text: single(2, string),
  details: repeated(3, anyMessage),
});
