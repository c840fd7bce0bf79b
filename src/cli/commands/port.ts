import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { between, type Command } from '../command.ts';

export const command: Command = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  short: 'List port mappings or a specific mapping for the container',
  aliases: 'container port, port',
  flags: '',
  takes: between(1, 2),
  async run({ session, args: [id = '', asked] }) {
    const container = await perform(await session.client(), containerOperations.inspect, { path: { id } });
    const ports = container.NetworkSettings.Ports ?? {};
    if (asked !== undefined) {
      const [port = '', protocol = 'tcp'] = asked.split('/', 2);
      if (!/^\d+$/.test(port))
        throw new EngineError(
          'invalid',
          `Error: invalid port (${port}): strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`,
        );
      const bindings = ports[`${Number(port)}/${protocol}`];
      if (!bindings?.length)
        throw new EngineError('notFound', `Error: No public port '${asked}' published for ${id}`);
      for (const { HostIp, HostPort } of bindings) session.out.line(address(HostIp, HostPort));
      return;
    }
    const keys = Object.keys(ports).sort(
      (left, right) => Number.parseInt(left, 10) - Number.parseInt(right, 10) || (left < right ? -1 : 1),
    );
    for (const key of keys) {
      for (const { HostIp, HostPort } of ports[key] ?? [])
        session.out.line(`${key} -> ${address(HostIp, HostPort)}`);
    }
  },
};

function address(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
