import { EngineError } from '../../../stdx/errors.ts';
import { between, type Command } from '../../command.ts';
import { containerOf } from '../../compose/service-containers.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE PRIVATE_PORT',
  short: 'Print the public port for a port binding',
  flags: `
      --index int  Index of the container if service has multiple replicas
      --protocol string  tcp or udp (default "tcp")
`,
  takes: between(2, 2),
  async run({ session, flags, groupFlags, args: [service = '', port = ''] }) {
    const { summary, name } = await containerOf(session, groupFlags, service, flags.integer('index'));
    const protocol = flags.string('protocol').toLowerCase();
    const found = summary.Ports.find(
      ({ PrivatePort, PublicPort, Type }) =>
        PublicPort !== undefined && PrivatePort === Number(port) && Type === protocol,
    );
    if (found === undefined)
      throw new EngineError('notFound', `no port ${port}/${protocol} for container ${name}`);
    const address = found.IP?.includes(':') ? `[${found.IP}]` : found.IP;
    session.out.line(`${address}:${found.PublicPort}`);
  },
};
