/** gRPC's codes that are used here (google.rpc.Code). */
export const grpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** How a call failed, as it is sent: the caller on the other side makes an error of its own of it. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly code: number;
  /** `google.rpc.Status` in its encoding, with what more is known of the error. */
  readonly details: Uint8Array | undefined;

  constructor(code: number, message: string, options?: { details?: Uint8Array; cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.details = options?.details;
  }
}

/** The message in a header: percent-encoded UTF-8. */
export function encodeGrpcMessage(text: string): string {
  return Array.from(Buffer.from(text), byte =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

export function decodeGrpcMessage(text: string): string {
  const plain = text.replace(/(?:%[0-9A-Fa-f]{2})+/g, run => {
    return Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8');
  });
  return plain;
}
