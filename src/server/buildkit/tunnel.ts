import { Duplex } from 'node:stream';
import { controlService } from '../../api/buildkit/control.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';

/** A connection that travels in the messages of a call: how clients open a session without a request of its own. */
export function connectionIn(call: GrpcCall): Duplex {
  const { request, response } = controlService.session;
  const connection = new Duplex({
    read() {
      resume();
    },
    write(data: Buffer, _encoding, done) {
      call.send(response.encode({ data })).then(() => done(), done);
    },
  });
  let resume = () => {};
  void (async () => {
    try {
      for await (const message of call.messages) {
        // Its memory is the message's, which nobody else has.
        if (connection.push(request.decode(message).data)) continue;
        await new Promise<void>(resolve => (resume = resolve));
      }
      connection.push(null);
    } catch {
      connection.destroy();
    }
  })();
  call.signal.addEventListener('abort', () => connection.destroy(), { once: true });
  return connection;
}
