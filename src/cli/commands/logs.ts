import { rawStreamType } from '../../api/paths.ts';
import { download, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { type Command, exactly } from '../command.ts';
import { demultiplexTo } from '../terminal/demultiplex.ts';
import { apiTimestamp } from '../timestamps.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  short: 'Fetch the logs of a container',
  aliases: 'container logs, logs',
  flags: `
      --details  Show extra details provided to logs
  -f, --follow  Follow log output
      --since string  Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
  -n, --tail string  Number of lines to show from the end of the logs (default "all")
  -t, --timestamps  Show timestamps
      --until string  Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
`,
  takes: exactly(1),
  async run({ session, flags, args: [id = ''] }) {
    const client = await session.client();
    const query = {
      stdout: true,
      stderr: true,
      since: apiTimestamp(flags.string('since'), Date.now(), 'since'),
      until: apiTimestamp(flags.string('until'), Date.now(), 'until'),
      timestamps: flags.on('timestamps'),
      follow: flags.on('follow'),
      tail: flags.string('tail'),
      details: flags.on('details'),
    };
    const path = { id };
    const container = await perform(client, containerOperations.inspect, { path });
    const accept = { Accept: rawStreamType };
    const sink = container.Config.Tty ? (chunk: Buffer) => session.out.write(chunk) : demultiplexTo(session);
    await download(client, containerOperations.logs, { path, query, headers: accept }, sink);
  },
};
