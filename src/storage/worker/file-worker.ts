import { type MessagePort, parentPort } from 'node:worker_threads';
import { Confinement } from './confinement.ts';
import { operations } from './operations.ts';
import { toPlainError, type WorkerRequest, type WorkerResponse } from './protocol.ts';

/**
 * The worker thread behind layers, `cp` and build contexts. Everything it needs is imported here, before the first
 * chroot: a module loaded later would be looked for inside of what it is confined to.
 */
const port: MessagePort = parentPort!;
const confinement = new Confinement();

port.on('message', async (request: WorkerRequest) => {
  const { id, operation, argument } = request;
  const respond = (response: WorkerResponse) => port.postMessage(response);
  try {
    const progress = (value: number) => respond({ id, progress: value });
    const work = operations[operation as keyof typeof operations] as Operation;
    respond({ id, result: await work(argument, { confinement, progress }) });
  } catch (error) {
    respond({ id, error: toPlainError(error) });
  }
});

type Operation = (
  argument: unknown,
  context: { confinement: Confinement; progress: (value: number) => void },
) => unknown;
