import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { AttachStream } from '../../runtime/attach.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { Attachment, AttachOptions } from '../engine.ts';
import { publishContainerEvent } from './attributes.ts';
import { DetachDetector, parseDetachKeys } from './detach-keys.ts';
import { readLogs } from './logs.ts';

/** A line from a client to a container, which may not have started yet. */
export async function attachContainer(
  context: EngineContext,
  ref: string,
  options: AttachOptions,
): Promise<Attachment> {
  const detachKeys = parseDetachKeys(options.detachKeys);
  const record = context.containers.get(ref);
  if (record.state.status === 'paused') {
    throw new EngineError('conflict', `container ${ref} is paused, unpause the container before attach`);
  }
  if (record.state.status === 'restarting') {
    throw new EngineError('conflict', `container ${ref} is restarting, wait until the container is running`);
  }
  const { tty, openStdin, stdinOnce } = record.config;
  publishContainerEvent(context, record, 'attach');
  const gone = new AbortController();
  // Asked for now, not when the client's streams are pumped: the start may come before that.
  const running = record.state.status === 'running';
  let pumping = false;
  const started =
    options.stream && !running
      ? context.attachments.whenStarted(record.id, options.stdin, gone.signal).then(stream => {
          // Output that comes before the client's streams are ready has to wait.
          if (!pumping) stream.pause();
          return stream;
        })
      : undefined;
  // It is awaited in pump(); until then a failure has nobody to hear it.
  started?.catch(() => {});
  return {
    tty,
    async pump(client) {
      const onGone = () => gone.abort();
      client.stdout.once('close', onGone);
      try {
        if (options.logs) await writeLogs(context, ref, options, client);
        if (!options.stream) return;
        pumping = true;
        const stream =
          started === undefined
            ? context.runtime.attach(record.id, undefined, { stdin: options.stdin })
            : await started;
        const detached = await pumpStream(stream, {
          input: options.stdin && openStdin ? client.input : undefined,
          stdout: options.stdout ? client.stdout : undefined,
          stderr: options.stderr ? client.stderr : undefined,
          closesStdin: stdinOnce && !tty,
          detachKeys: tty ? detachKeys : undefined,
        });
        if (detached) publishContainerEvent(context, record, 'detach');
      } catch (error) {
        // The client is gone, or the start failed, which whoever asked for the start is told.
        if (!gone.signal.aborted && !failedToStart(error)) throw error;
      } finally {
        client.stdout.off('close', onGone);
      }
    },
  };
}

function failedToStart(error: unknown): boolean {
  return error instanceof EngineError && error.kind === 'cancelled';
}

export interface PumpOptions {
  input?: Readable;
  stdout?: Writable;
  stderr?: Writable;
  /** The end of the input is the end of the process's stdin. */
  closesStdin: boolean;
  /** undefined: the input is no terminal, every byte is passed on. */
  detachKeys?: Buffer;
}

/**
 * Carries bytes both ways until the process has ended and all its output is delivered, or the client leaves. A
 * client that does not take its output holds the process back; nothing is kept for it without bound.
 * @returns whether the client left by its detach keys
 */
export async function pumpStream(stream: AttachStream, options: PumpOptions): Promise<boolean> {
  let detached = false;
  const leave = () => stream.close();
  const watched = options.stdout ?? options.stderr;
  watched?.once('close', leave);
  stream.onOutput((kind, chunk) => {
    const target = kind === 'stdout' ? options.stdout : options.stderr;
    if (target === undefined || target.destroyed || target.write(chunk)) return;
    stream.pause();
    target.once('drain', () => stream.resume());
  });
  if (options.input !== undefined) {
    void pumpInput(stream, options.input, options).then(left => {
      detached = left;
      if (left) stream.close();
    }, leave);
  }
  const ended = new Promise<void>(resolve => stream.onEnd(resolve));
  stream.resume();
  await ended;
  watched?.off('close', leave);
  return detached;
}

async function pumpInput(stream: AttachStream, input: Readable, options: PumpOptions): Promise<boolean> {
  const detector = options.detachKeys === undefined ? undefined : new DetachDetector(options.detachKeys);
  for await (const chunk of input) {
    if (detector === undefined) {
      await stream.write(chunk);
      continue;
    }
    const { forward, detached } = detector.feed(chunk);
    if (forward.length > 0) await stream.write(forward);
    if (detached) return true;
  }
  if (options.closesStdin) stream.closeStdin();
  return false;
}

async function writeLogs(
  context: EngineContext,
  ref: string,
  options: AttachOptions,
  client: { stdout: Writable; stderr: Writable },
): Promise<void> {
  const { stdout, stderr } = options;
  for await (const entries of readLogs(context, ref, { stdout, stderr, follow: false })) {
    for (let index = 0; index < entries.length; index++) {
      const target = entries.isStderr(index) ? client.stderr : client.stdout;
      // A copy: the bytes are used again for the next piece of the log.
      if (!target.write(Buffer.from(entries.text(index)))) await once(target, 'drain');
    }
  }
}
