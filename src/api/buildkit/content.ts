/**
 * containerd's content service (api/services/content/v1), which a client serves on its session: blobs by digest, in
 * the stores it offers. `local:<path>` is a directory that caches of builds are kept in, `oci:<name>` an OCI layout
 * that is a build's context.
 */
import { bytes, int32, int64, mapOf, message, nested, single, string } from '../protobuf.ts';
import { service } from './service.ts';
import { timestampMessage } from './well-known.ts';

/** Says in a call's metadata which of the client's stores is meant. */
export const storeIdHeader = 'buildkit-attachable-store-id';

export const writeAction = { stat: 0, write: 1, commit: 2 } as const;

const contentInfo = message({
  digest: single(1, string),
  size: single(2, int64),
  createdAt: nested(3, timestampMessage),
  updatedAt: nested(4, timestampMessage),
  labels: mapOf(5, string),
});

const contentStatus = message({
  startedAt: nested(1, timestampMessage),
  updatedAt: nested(2, timestampMessage),
  ref: single(3, string),
  offset: single(4, int64),
  total: single(5, int64),
  expected: single(6, string),
});

/**
 * Write is a conversation: each request has its answer, whose offset says how much there is. A write at 0 begins anew,
 * and a commit ends it. What is there already is refused with AlreadyExists.
 */
export const contentService = service('containerd.services.content.v1.Content', {
  info: ['Info', message({ digest: single(1, string) }), message({ info: nested(1, contentInfo) })],
  read: [
    'Read',
    /** A size of 0 is all that follows. */
    message({ digest: single(1, string), offset: single(2, int64), size: single(3, int64) }),
    message({ offset: single(1, int64), data: single(2, bytes) }),
  ],
  write: [
    'Write',
    message({
      action: single(1, int32),
      /** A name for the writing, by which it can be gone on with. */
      ref: single(2, string),
      total: single(3, int64),
      expected: single(4, string),
      offset: single(5, int64),
      data: single(6, bytes),
      labels: mapOf(7, string),
    }),
    message({
      action: single(1, int32),
      startedAt: nested(2, timestampMessage),
      updatedAt: nested(3, timestampMessage),
      offset: single(4, int64),
      total: single(5, int64),
      digest: single(6, string),
    }),
  ],
  status: ['Status', message({ ref: single(1, string) }), message({ status: nested(1, contentStatus) })],
  abort: ['Abort', message({ ref: single(1, string) }), message({})],
});
