import { type MessagePort, parentPort } from 'node:worker_threads';
import { messageOf } from '../../../stdx/errors.ts';
import { LogForwarder } from './log-forwarder.ts';
import type { FollowRequest, WorkerReport, WorkerRequest } from './messages.ts';

/** The worker thread that carries captured logs to the sinks of their drivers. */
const port: MessagePort = parentPort!;
const forwarders = new Map<string, LogForwarder>();
/** What shall be followed, whether or not it is at the moment. */
const wanted = new Map<string, FollowRequest>();
/** Before something that failed for reasons of this machine is begun again. */
const restartMs = 3000;

port.on('message', async (message: WorkerRequest) => {
  switch (message.kind) {
    case 'follow':
      wanted.set(message.request.id, message.request);
      begin(message.request.id);
      return;
    case 'end':
      await end(message.id);
      break;
    case 'forget':
      wanted.delete(message.id);
      await forwarders.get(message.id)?.stop();
      break;
    case 'close':
      wanted.clear();
      await Promise.all([...forwarders.values()].map(forwarder => forwarder.stop()));
  }
  report({ kind: 'answer', token: message.token });
});

function begin(id: string): void {
  const request = wanted.get(id);
  if (request === undefined) return;
  const known = forwarders.get(id);
  if (known !== undefined) {
    if (request.running) known.goOn();
    return;
  }
  try {
    const forwarder = new LogForwarder(request, (level, text) => report({ kind: 'note', id, level, text }));
    forwarders.set(id, forwarder);
    void forwarder.done.then(() => finished(id, forwarder));
  } catch (error) {
    report({ kind: 'note', id, level: 'warn', text: `the log cannot be forwarded: ${messageOf(error)}` });
  }
}

function finished(id: string, forwarder: LogForwarder): void {
  forwarders.delete(id);
  if (forwarder.isBroken) setTimeout(() => begin(id), restartMs);
  // The container was started again while the last of the run before was delivered.
  else if (wanted.get(id)?.running === true) begin(id);
  else wanted.delete(id);
}

async function end(id: string): Promise<void> {
  const request = wanted.get(id);
  if (request !== undefined) wanted.set(id, { ...request, running: false });
  await forwarders.get(id)?.end();
}

function report(message: WorkerReport): void {
  port.postMessage(message);
}
