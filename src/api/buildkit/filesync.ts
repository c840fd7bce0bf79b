/**
 * How a tree of files travels between a session's two ends (moby.filesync.v1; the packets are fsutil's):
 *
 *     sender    STAT STAT ... STAT(without stat: that was all)
 *     receiver  REQ(id) for each regular file it wants; ids count the STATs from 0
 *     sender    DATA(id, bytes) ... DATA(id, nothing: the file's end), of several files in turn
 *     receiver  FIN when it has all; the sender answers with FIN
 *
 * Paths are relative, `/` between elements, and in the order of a walk. ERR from either side ends it.
 */
import {
  bigInt64,
  bool,
  bytes,
  int32,
  int64,
  mapOf,
  message,
  nested,
  repeated,
  single,
  string,
  uint32,
} from '../protobuf.ts';
import { bytesMessage } from './control.ts';
import { service } from './service.ts';

export const statMessage = message({
  path: single(1, string),
  /** Go's os.FileMode: permissions below, types and setuid, setgid, sticky above. */
  mode: single(2, uint32),
  uid: single(3, uint32),
  gid: single(4, uint32),
  size: single(5, int64),
  /** Nanoseconds since 1970. */
  modTime: single(6, bigInt64),
  /** Where a symlink leads; of a hard link, the path of the entry it is another name of. */
  linkname: single(7, string),
  devmajor: single(8, int64),
  devminor: single(9, int64),
  xattrs: mapOf(10, bytes),
});

export const packetType = { stat: 0, request: 1, data: 2, fin: 3, error: 4 } as const;

export const packetMessage = message({
  type: single(1, int32),
  stat: nested(2, statMessage),
  id: single(3, uint32),
  data: single(4, bytes),
});

/** Bits of Go's os.FileMode above the permissions. */
export const goFileMode = {
  directory: 2 ** 31,
  symlink: 1 << 27,
  device: 1 << 26,
  namedPipe: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  characterDevice: 1 << 21,
  sticky: 1 << 20,
} as const;

/** Served by the client: what of a directory is to be sent is in the call's metadata. */
export const fileSyncService = service('moby.filesync.v1.FileSync', {
  diffCopy: ['DiffCopy', packetMessage, packetMessage],
});

/**
 * Served by Gantry's client beside FileSync, with the same headers: a digest of what DiffCopy would tell and of what tells a
 * changed file besides (inode, time of change). As long as it is the same, nothing has changed. It may be long.
 */
export const fileDigestService = service('gantry.filesync.v1.FileDigest', {
  digest: ['Digest', message({}), message({ digest: single(1, bytes) })],
});

/**
 * Served by Gantry's client beside FileSync: a few small files, each by the name of a directory that is offered and its own name
 * there, in one answer instead of a transfer for each. Links are followed inside of the directory. Of what is no regular file, or not
 * there, nothing is found.
 */
export const smallFilesService = service('gantry.filesync.v1.SmallFiles', {
  read: [
    'Read',
    message({ files: repeated(1, message({ directory: single(1, string), name: single(2, string) })) }),
    message({ files: repeated(1, message({ found: single(1, bool), data: single(2, bytes) })) }),
  ],
});

/** A Dockerfile is a text that people write. */
export const smallFilesLimitBytes = 8 << 20;

/** Headers of FileSync's DiffCopy. A value may be percent-encoded: then `<name>-encoded` is `1`. */
export const fileSyncHeader = {
  directory: 'dir-name',
  include: 'include-patterns',
  exclude: 'exclude-patterns',
  follow: 'followpaths',
} as const;

/** Served by the client: takes what an exporter writes, as packets for a directory, as bytesMessages for a file. */
export const fileSendService = service('moby.filesync.v1.FileSend', {
  directory: ['DiffCopy', packetMessage, packetMessage],
  file: ['DiffCopy', bytesMessage, bytesMessage],
});

/** Says which of Solve's exporters the upload is for, counted from 0. */
export const exporterIdHeader = 'buildkit-attachable-exporter-id';
/** Before a name: what is known of the upload. */
export const exporterMetadataPrefix = 'exporter-md-';
