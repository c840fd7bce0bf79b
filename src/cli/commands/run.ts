import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { atLeast, type Command } from '../command.ts';
import { type CreatePlan, planOrRefuse } from '../container-options/create-request.ts';
import { containerFlags } from '../container-options/flags.ts';
import { createContainer } from '../create-container.ts';
import { ExitError } from '../errors.ts';
import { runAttached } from '../run-attached.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  short: 'Create and run a new container from an image',
  aliases: 'container run, run',
  flags: `${containerFlags}
  -d, --detach  Run container in background and print container ID
      --detach-keys string  Override the key sequence for detaching a container
      --pull string  Pull image before running ("always", "missing", "never") (default "missing")
      --sig-proxy  Proxy received signals to the process (default true)
`,
  takes: atLeast(1),
  interspersed: false,
  runsContainers: true,
  async run({ session, flags, args }) {
    const detached = flags.on('detach');
    if (detached && flags.changed('attach'))
      throw new EngineError('invalid', 'conflicting options: cannot specify both --attach and --detach');
    if (detached && flags.changed('sig-proxy') && flags.on('sig-proxy') && flags.on('tty')) {
      throw new EngineError('invalid', 'conflicting options: cannot specify both --sig-proxy and --detach');
    }
    const { rows, columns } = session.out.isTerminal ? session.out.size() : { rows: 0, columns: 0 };
    const place = {
      env: session.env,
      workingDirectory: session.surroundings.workingDirectory,
      proxies: await session.proxyVariables(),
      consoleSize: [rows, columns] as [number, number],
    };
    const scheduled = flags.changed('schedule');
    // What is started later has nobody to talk to.
    const plan = planOrRefuse('run', flags, args, place, detached || scheduled);
    requireTerminal(session, plan);
    const id = await createContainer(session, plan, { pull: flags.string('pull'), quiet: flags.on('quiet') });
    if (scheduled) {
      session.out.line(id);
      return 0;
    }
    if (!detached) {
      const { AttachStdin = false, AttachStdout = false, AttachStderr = false, Tty = false } = plan.request;
      return runAttached(session, id, {
        tty: Tty,
        stdin: AttachStdin,
        stdout: AttachStdout,
        stderr: AttachStderr,
        detachKeys: flags.string('detach-keys') || session.config().detachKeys,
        forwardsSignals: flags.on('sig-proxy'),
        autoRemove: flags.on('rm'),
      });
    }
    // The id is told even when the start fails: the container is there.
    session.out.line(id);
    await act(await session.client(), containerOperations.start, { path: { id } });
    return 0;
  },
};

function requireTerminal(session: Session, { request }: CreatePlan): void {
  if (request.AttachStdin && request.Tty && !session.input.isTerminal) {
    throw new ExitError(1, 'the input device is not a TTY');
  }
}
