import { closeSync, openSync, writeSync } from 'node:fs';
import { ApiError } from '../../../client/api-error.ts';
import { download } from '../../../client/operation.ts';
import { containerOperations, networkOperations } from '../../../client/operations.ts';
import { EngineError, systemMessageOf } from '../../../stdx/errors.ts';
import { type Command, exactly } from '../../command.ts';
import { ofGantryd } from '../../of-gantryd.ts';
import type { Session } from '../../session.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER|NETWORK',
  short: 'Write the packets of a container or a network to a pcap file, until Ctrl-C',
  flags: `
  -c, --count uint32  End after so many packets
      --host string  Only packets from or to this address
  -i, --interface string  Interface in the container (eth0, lo); default is that with the default route
      --network string  The interface on this network
  -o, --output string  Write to a file, instead of STDOUT; it can be read while it grows
      --port uint16  Only packets from or to this port
      --snap-length uint32  Keep so many bytes of each packet; default is all
`,
  takes: exactly(1),
  async run({ session, flags, args: [id = ''] }) {
    const client = await session.client();
    const ofContainer = { interface: flags.given('interface'), network: flags.given('network') };
    const query = {
      host: flags.given('host'),
      port: flags.given('port'),
      count: flags.given('count'),
      'snap-length': flags.given('snap-length'),
    };
    const ended = new AbortController();
    const end = () => ended.abort();
    process.once('SIGINT', end).once('SIGTERM', end);
    const output = openOutput(session, flags.string('output'));
    try {
      await ofGantryd('capturing', async () => {
        const { signal } = ended;
        try {
          const input = { path: { id }, query: { ...query, ...ofContainer }, signal };
          await download(client, containerOperations.capture, input, output.write);
        } catch (error) {
          if (!isNoContainer(error)) throw error;
          if (Object.values(ofContainer).some(given => given !== undefined)) throw error;
          await download(client, networkOperations.capture, { path: { id }, query, signal }, output.write);
        }
      });
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      output.close();
      process.off('SIGINT', end).off('SIGTERM', end);
    }
  },
};

/** Then it may be a network. */
function isNoContainer(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404 && error.message.startsWith('No such container');
}

interface Output {
  write(chunk: Buffer): void | Promise<void>;
  close(): void;
}

/** A file is made when the first bytes come: not when the daemon refuses. */
function openOutput(session: Session, path: string): Output {
  if (path === '') {
    if (session.out.isTerminal)
      throw new EngineError('invalid', 'packets are nothing for a terminal: use -o FILE or redirect');
    return { write: chunk => session.out.write(chunk), close() {} };
  }
  let fd: number | undefined;
  return {
    write(chunk) {
      try {
        fd ??= openSync(path, 'w', 0o600);
      } catch (error) {
        throw new EngineError('invalid', systemMessageOf(error), { cause: error });
      }
      for (let written = 0; written < chunk.length; ) written += writeSync(fd, chunk, written);
    },
    close: () => fd !== undefined && closeSync(fd),
  };
}
