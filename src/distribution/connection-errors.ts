import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import { withoutBrackets } from './addresses.ts';

/**
 * Words a failed exchange as Go's net/http does, which is what users of Docker search for:
 * `Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused`.
 *
 * @param doing `Get "http://127.0.0.1:1/v2/"`
 */
export function connectionError(doing: string, url: URL, error: unknown): EngineError {
  if (error instanceof EngineError) {
    return new EngineError(error.kind, `${doing}: ${error.message}`, { cause: error });
  }
  return new EngineError('unavailable', `${doing}: ${wordsOf(url, firstCause(error))}`, { cause: error });
}

/** Several addresses were tried (Happy Eyeballs): the first failure tells it. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

const plainHttp = 'http: server gave HTTP response to HTTPS client';

function wordsOf(url: URL, error: unknown): string {
  const code = errnoOf(error) ?? '';
  const address = dialled(url, error);
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${address}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: network is unreachable`;
    case 'ETIMEDOUT':
      return `dial tcp ${address}: i/o timeout`;
    case 'ESILENT':
      return 'net/http: timeout awaiting response';
    case 'ENOTFOUND':
      return `dial tcp: lookup ${withoutBrackets(url.hostname)}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${withoutBrackets(url.hostname)}: Temporary failure in name resolution`;
    case 'ECONNRESET':
      return messageOf(error) === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
    case 'EPIPE':
      return 'write: broken pipe';
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'unexpected EOF';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return plainHttp;
    case 'EPROTO':
      // The same, noticed while something was written.
      return /wrong version number|packet length too long/.test(messageOf(error))
        ? plainHttp
        : messageOf(error);
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'x509: certificate signed by unknown authority';
    case 'CERT_HAS_EXPIRED':
      return 'x509: certificate has expired or is not yet valid';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `x509: certificate is not valid for ${withoutBrackets(url.hostname)}`;
    default:
      return messageOf(error);
  }
}

function dialled(url: URL, error: unknown): string {
  const { address, port } = error as { address?: unknown; port?: unknown };
  if (typeof address === 'string' && typeof port === 'number') {
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }
  return url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
}
