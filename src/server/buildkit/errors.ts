import { statusMessage } from '../../api/buildkit/well-known.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { DockerfileError } from '../../build/dockerfile/errors.ts';
import type { RunFailed } from '../../build/run-failed.ts';
import { kindOf, messageOf } from '../../stdx/errors.ts';

/** An excerpt of a larger Dockerfile would not fit into the header that an error travels in. */
const sourceLimitBytes = 256 * 1024;

/**
 * An error as BuildKit's clients take it: its words, and where in the Dockerfile it is, from which they draw the
 * excerpt. Its own errors have code Unknown, as clients put any other in front of the words.
 * @param dockerfile the text in which an error's lines are
 */
export function toGrpcError(error: unknown, dockerfile?: string): GrpcError {
  if (error instanceof GrpcError) return error;
  const kind = kindOf(error);
  const message = bareMessageOf(error);
  if (kind === 'cancelled') return new GrpcError(grpcCode.cancelled, 'context canceled', { cause: error });
  const code = grpcCode.unknown;
  if (!isPlaced(error) || dockerfile === undefined || dockerfile.length > sourceLimitBytes) {
    return new GrpcError(code, message, { cause: error });
  }
  const { file, lines } = error;
  const source = {
    info: { filename: file, data: Buffer.from(dockerfile).toString('base64'), language: 'Dockerfile' },
    ranges: [{ start: { line: lines.first }, end: { line: lines.last } }],
  };
  const details = statusMessage.encode({
    code,
    text: message,
    // BuildKit's errors travel as JSON under the names of Go's types (containerd/typeurl).
    details: [
      {
        typeUrl: 'github.com/moby/buildkit/errdefs.Source+json',
        value: Buffer.from(JSON.stringify(source)),
      },
    ],
  });
  return new GrpcError(code, message, { details, cause: error });
}

/** In BuildKit's words, without the excerpt, which clients draw themselves. */
export function bareMessageOf(error: unknown): string {
  if (isRunFailed(error)) {
    return `process ${JSON.stringify(error.args.join(' '))} did not complete successfully: exit code: ${error.exitCode}`;
  }
  const message = isPlaced(error) ? error.bare : messageOf(error);
  return message
    .replace(/^dockerfile parse error line /, 'dockerfile parse error on line ')
    .replace(/^failed to reach build target (.*) in Dockerfile$/s, 'target stage "$1" could not be found');
}

function isPlaced(error: unknown): error is DockerfileError {
  return error instanceof Error && 'bare' in error && 'lines' in error && 'file' in error;
}

function isRunFailed(error: unknown): error is RunFailed {
  return isPlaced(error) && 'exitCode' in error && 'args' in error;
}
