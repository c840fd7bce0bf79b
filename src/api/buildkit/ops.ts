/** Of BuildKit's solver (package pb): the parts that travel in control and gateway calls. */
import { bytes, int32, mapOf, message, nested, repeated, single, string } from '../protobuf.ts';

export const platformMessage = message({
  architecture: single(1, string),
  os: single(2, string),
  variant: single(3, string),
  osVersion: single(4, string),
  osFeatures: repeated(5, string),
});

const positionMessage = message({ line: single(1, int32), character: single(2, int32) });

/** Lines of a Dockerfile, from 1, both included. */
export const rangeMessage = message({ start: nested(1, positionMessage), end: nested(2, positionMessage) });

export const sourceInfoMessage = message({
  filename: single(1, string),
  data: single(2, bytes),
  language: single(4, string),
});

const opMetadataMessage = message({ description: mapOf(2, string) });

/** A graph of operations; each of `operations` is an encoded operationMessage, the last one says which is the result. */
export const definitionMessage = message({
  operations: repeated(1, bytes),
  metadata: mapOf(2, opMetadataMessage),
});

/** Where something comes from: `docker-image://docker.io/library/busybox:latest`, `local://context`. */
export const sourceOperationMessage = message({
  identifier: single(1, string),
  attributes: mapOf(2, string),
});

const inputMessage = message({ digest: single(1, string), index: single(2, int32) });

export const operationMessage = message({
  inputs: repeated(1, inputMessage),
  source: nested(3, sourceOperationMessage),
  platform: nested(10, platformMessage),
});

export const progressGroupMessage = message({ id: single(1, string), name: single(2, string) });
