import { fstatSync } from 'node:fs';
import koffi from 'koffi';
import { EngineError } from '../stdx/errors.ts';

/** Watches one file descriptor in this thread's event loop, until closed. */
export interface Poller {
  /** What to wait for from now on; neither: nothing. */
  watch(events: { readable?: boolean; writable?: boolean }): void;
  /** Stops watching; the file descriptor stays open and is the caller's to close, after this. */
  close(): void;
}

/**
 * Calls `ready` whenever the descriptor is readable or writable (level-triggered, also on hang-up), at most once per
 * turn of the event loop. A descriptor can have one Poller only. It does not keep the process alive unless asked.
 *
 * Close the Poller before the descriptor: libuv aborts the process without a word when one it watches is closed under
 * it, and koffi does when one cannot be watched. The latter is looked at here first, so that it is an error.
 *
 * koffi calls back from libuv outside of Node's own callback scope: promises and ticks made there would wait for
 * whatever happens next, however late (measured: half a second, until the next timer). The hop through setImmediate,
 * which runs at the end of the same turn, is what keeps this prompt; do not take it out.
 */
export function pollDescriptor(fd: number, ready: () => void, options?: { keepAlive?: boolean }): Poller {
  requirePollable(fd);
  let closed = false;
  let scheduled = false;
  let waiting = false;
  const arrived = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (!closed && waiting) ready();
    });
  };
  const handle = koffi.node.poll(fd, { readable: true }, arrived);
  handle.stop();
  if (options?.keepAlive !== true) handle.unref();
  hold(handle);
  polled.add(fd);
  return {
    watch({ readable = false, writable = false }) {
      if (closed) return;
      waiting = readable || writable;
      if (waiting) handle.start({ readable, writable }, arrived);
      else handle.stop();
    },
    close() {
      if (closed) return;
      closed = true;
      polled.delete(fd);
      // Not if the process is exiting: it is closed already.
      if (open.delete(handle)) handle.close();
    },
  };
}

/** Descriptors that have a Poller in this thread. */
const polled = new Set<number>();

function requirePollable(fd: number): void {
  if (polled.has(fd)) throw new EngineError('internal', `descriptor ${fd} is being waited for already`);
  // EBADF
  fstatSync(fd);
}

/** koffi stops polling when its handle is collected as garbage. */
const open = new Set<{ close(): void }>();

/**
 * A handle still open when the process exits would be called back while Node takes itself down, and koffi aborts the
 * process then (exit code 134 and a core dump).
 */
function hold(handle: { close(): void }): void {
  if (!armed) {
    armed = true;
    process.on('exit', () => {
      for (const left of open) left.close();
      open.clear();
    });
  }
  open.add(handle);
}

let armed = false;
