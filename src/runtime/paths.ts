import { join } from 'node:path';

/**
 * Everything of the runtime is below the engine's exec-root, which a reboot empties (tmpfs):
 *
 *     <exec-root>/
 *       c/<container id>/            the OCI bundle
 *         config.json
 *         pid                        host pid of the first process, as the OCI runtime wrote it
 *         state.json                 who runs and watches it: adopted by the next daemon
 *         attach                     socket of the monitor (SOCK_SEQPACKET)
 *         ctl, winsz                 fifos of the monitor
 *         e/<exec id>/               one running exec: process.json, note.json, pid, state.json, attach,
 *                                    exits/<container id>
 *       exits/<container id>         exit code, written by the monitor when the container has ended
 *       runtime/<container id>/      state of the OCI runtime itself
 *
 * Names are short because sockets are in there.
 */
export interface RuntimePaths {
  containers: string;
  exits: string;
  runtimeRoot: string;
  /** For sockets that stand for a moment. */
  sockets: string;
}

export function runtimePaths(execRoot: string): RuntimePaths {
  return {
    containers: join(execRoot, 'c'),
    exits: join(execRoot, 'exits'),
    runtimeRoot: join(execRoot, 'runtime'),
    // conmon puts `/conmon-term.XXXXXX` behind it into the 107 bytes of a socket's path.
    sockets: Buffer.byteLength(execRoot) <= 80 ? execRoot : '/tmp',
  };
}
