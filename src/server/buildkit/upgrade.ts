import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EngineError } from '../../stdx/errors.ts';
import type { Call } from '../call.ts';

/**
 * Takes the connection of a request that asks to go on in HTTP/2 (`Upgrade: h2c`). The client sends HTTP/2's preface
 * on it, as if it were a new connection: HTTP2-Settings and a first stream, which RFC 7540 has for that, are unknown here.
 */
export function upgradeToHttp2(call: Call): Duplex {
  const { request, response, upgradeHead } = call;
  const protocol = request.headers.upgrade ?? '';
  if (upgradeHead === undefined || protocol === '')
    throw new EngineError('invalid', 'no upgrade proto in request');
  if (protocol !== 'h2c') throw new EngineError('invalid', `protocol ${protocol} not supported`);
  const connection = call.connection as Socket;
  response.detachSocket(connection);
  call.socket.setTimeout(0);
  // Errors are seen as 'close' by everybody who cares.
  connection.on('error', () => connection.destroy());
  connection.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  if (upgradeHead.length > 0) connection.unshift(upgradeHead);
  return connection;
}
