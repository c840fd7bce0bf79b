import { act } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';
import { keyValues } from '../../key-values.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  short: 'Connect a container to a network',
  flags: `
      --alias strings  Add network-scoped alias for the container
      --driver-opt strings  driver options for the network
      --gw-priority int  Highest gw-priority provides the default gateway. Accepts positive and negative values.
      --ip string  IPv4 address (e.g., "172.30.100.104")
      --ip6 string  IPv6 address (e.g., "2001:db8::33")
      --link list  Add link to another container
      --link-local-ip strings  Add a link-local address for the container
`,
  takes: exactly(2),
  async run({ session, flags, args: [id = '', Container = ''] }) {
    const EndpointConfig = {
      IPAMConfig: {
        IPv4Address: flags.string('ip') || undefined,
        IPv6Address: flags.string('ip6') || undefined,
        LinkLocalIPs: flags.list('link-local-ip'),
      },
      Links: flags.list('link'),
      Aliases: flags.list('alias'),
      DriverOpts: keyValues(flags.list('driver-opt')),
      GwPriority: flags.integer('gw-priority') || undefined,
    };
    await act(await session.client(), networkOperations.connect, {
      path: { id },
      json: { Container, EndpointConfig },
    });
  },
};
