import type { Socket } from 'node:net';
import { EngineError } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import { demultiplexTo } from './demultiplex.ts';
import { DetachKeyFilter, defaultDetachKeys, parseDetachKeys } from './detach-keys.ts';

export interface AttachedOptions {
  /** One stream, as a terminal has; otherwise stdout and stderr come in frames. */
  tty: boolean;
  stdin: boolean;
  detachKeys?: string | undefined;
}

/**
 * Our stdin, stdout and stderr tied to a hijacked connection: keys go there, output comes here, the end of our input is
 * passed on as a half-close.
 *
 * @returns `ended` when the other side has closed, `detached` when the user typed the detach keys
 */
export async function tieStreams(
  session: Session,
  connection: { socket: Socket; received: Buffer },
  options: AttachedOptions,
): Promise<'ended' | 'detached'> {
  const { socket, received } = connection;
  const raw = options.tty && options.stdin && session.input.isTerminal;
  if (raw) session.input.setRawMode(true);
  let untie = () => {};
  try {
    const detached = new Promise<'detached'>(resolve => {
      if (options.stdin) untie = sendInput(session, socket, options, () => resolve('detached'));
    });
    return await Promise.race([receiveOutput(session, socket, received, options.tty), detached]);
  } finally {
    untie();
    if (raw) session.input.setRawMode(false);
    socket.destroy();
  }
}

function receiveOutput(session: Session, socket: Socket, received: Buffer, tty: boolean): Promise<'ended'> {
  const sink = tty ? (chunk: Buffer) => session.out.write(chunk) : demultiplexTo(session);
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      try {
        sink(chunk);
      } catch (error) {
        reject(error);
      }
    };
    socket.on('data', take);
    socket.once('end', () => resolve('ended'));
    // A daemon that dies resets the connection: what counts then is what waiting for the container says.
    socket.once('close', () => resolve('ended'));
    if (received.length > 0) take(received);
    socket.resume();
  });
}

function sendInput(
  session: Session,
  socket: Socket,
  options: AttachedOptions,
  onDetach: () => void,
): () => void {
  const stream = session.input.stream();
  const keys = options.detachKeys || session.config().detachKeys || defaultDetachKeys;
  const filter = options.tty ? new DetachKeyFilter(parseDetachKeys(keys)) : undefined;
  const onData = (chunk: Buffer) => {
    const { pass, detached } = filter?.push(chunk) ?? { pass: chunk, detached: false };
    if (pass.length > 0 && socket.writable && !socket.write(pass)) {
      stream.pause();
      socket.once('drain', () => stream.resume());
    }
    if (detached) onDetach();
  };
  const onEnd = () => socket.end();
  stream.on('data', onData).once('end', onEnd);
  return () => {
    stream.off('data', onData).off('end', onEnd);
    stream.pause();
  };
}

/** The detach keys were typed while attached by `attach`, `start` or `exec`: docker tells so as an error. */
export class DetachedError extends EngineError {
  constructor() {
    super('cancelled', 'read escape sequence');
  }
}
