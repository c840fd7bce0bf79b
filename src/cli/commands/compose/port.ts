import type { ContainerSummary } from '../../../api/containers.ts';
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
    if (!/^\d{1,5}$/.test(port))
      throw new EngineError('invalid', `strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`);
    const found = summary.Ports.find(
      ({ PrivatePort, PublicPort, Type }) =>
        PublicPort !== undefined && PrivatePort === Number(port) && Type === protocol,
    );
    if (found === undefined)
      throw new EngineError(
        'notFound',
        `no port ${port}/${protocol} for container ${name}: ${published(summary)}`,
      );
    const address = found.IP?.includes(':') ? `[${found.IP}]` : found.IP;
    session.out.line(`${address}:${found.PublicPort}`);
  },
};

/** `8080/tcp, 5353/udp`: those of the host. */
function published({ Ports }: ContainerSummary): string {
  const ports = Ports.filter(({ PublicPort }) => PublicPort !== undefined);
  return [...new Set(ports.map(({ PublicPort, Type }) => `${PublicPort}/${Type}`))].join(', ');
}
