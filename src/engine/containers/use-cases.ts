import type { EngineContext } from '../context.ts';
import { editContainer } from '../edit/edit.ts';
import type { ContainerUseCases } from '../engine.ts';
import { unlessMeanwhile } from '../meanwhile.ts';
import { traceFrom } from '../trace/trace.ts';
import { explainContainer } from '../why/why.ts';
import { exportContainer, readArchive, statPath, writeArchive } from './archive.ts';
import { attachContainer } from './attach.ts';
import { publishContainerEvent } from './attributes.ts';
import { captureContainer } from './capture.ts';
import { commitContainer } from './commit.ts';
import { createContainer } from './create.ts';
import { containerSize, inspectContainer } from './inspect.ts';
import { namesByLinks } from './links.ts';
import { logDetailsOf } from './log-follow.ts';
import { readLogs } from './logs.ts';
import { pruneContainers } from './prune.ts';
import { removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { resizeContainer } from './resize.ts';
import { startContainer } from './start.ts';
import { readStats } from './stats.ts';
import { StatsSampler } from './stats-sampler.ts';
import { isUp, killContainer, pauseContainer, stopContainer, unpauseContainer } from './stop.ts';
import { topContainer } from './top.ts';
import { updateContainer } from './update.ts';

/** Which file does what: every method is one of the files beside this one. */
export function containerUseCases(context: EngineContext): ContainerUseCases {
  const sampler = new StatsSampler(id => readStats(context, id));
  return {
    create: request => createContainer(context, request),
    start: ref => startContainer(context, ref),
    stop: (ref, options) => stopContainer(context, ref, options),
    async restart(ref, options) {
      const record = context.containers.get(ref);
      if (isUp(record)) await stopContainer(context, ref, options);
      await startContainer(context, ref);
      publishContainerEvent(context, record, 'restart');
    },
    kill: (ref, signal) => killContainer(context, ref, signal),
    pause: ref => pauseContainer(context, ref),
    unpause: ref => unpauseContainer(context, ref),
    rename: (ref, name) => renameContainer(context, ref, name),
    update: (ref, changes) => updateContainer(context, ref, changes),
    why: (ref, options) => explainContainer(context, ref, options),
    trace: (ref, to) => traceFrom(context, ref, to),
    capture: (ref, request) => captureContainer(context, ref, request),
    edit: (ref, request, options) => editContainer(context, ref, request, options),
    remove: (ref, options = {}) => removeContainer(context, ref, options),
    async wait(ref, condition, signal) {
      return context.waits.wait(context.containers.get(ref), condition, signal);
    },
    get: ref => context.containers.get(ref),
    list: () => context.containers.list(),
    namesByLinks: () => namesByLinks(context.containers),
    inspect: (ref, options) => inspectContainer(context, ref, options),
    size: id => unlessMeanwhile(() => containerSize(context, context.containers.get(id))),
    attach: (ref, options) => attachContainer(context, ref, options),
    resize: (ref, size) => resizeContainer(context, ref, size),
    logs: (ref, options, signal) => readLogs(context, ref, options, signal),
    logDetails: ref => logDetailsOf(context.containers.get(ref)),
    top: (ref, psArguments) => topContainer(context, ref, psArguments),
    stats: ref => sampler.newest(context.containers.get(ref).id),
    followStats: (ref, signal) => sampler.follow(context.containers.get(ref).id, signal),
    changes: ref => context.storage.snapshots.changes(context.containers.get(ref).id),
    statPath: (ref, path) => statPath(context, ref, path),
    readArchive: (ref, path) => readArchive(context, ref, path),
    writeArchive: (ref, path, tar, options) => writeArchive(context, ref, path, tar, options),
    export: ref => exportContainer(context, ref),
    commit: (ref, options) => commitContainer(context, ref, options),
    prune: matches => pruneContainers(context, matches),
  };
}
