import type { IpamConfig } from '../../../api/networks.ts';
import { perform } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { type Command, exactly } from '../../command.ts';
import { keyValues } from '../../key-values.ts';
import { planIpam } from '../../network-options/ipam.ts';

export const command: Command = {
  usage: '[OPTIONS] NETWORK',
  short: 'Create a network',
  flags: `
      --attachable  Enable manual container attachment
      --aux-address map  Auxiliary IPv4 or IPv6 addresses used by Network driver (default map[])
      --config-from string  The network from which to copy the configuration
      --config-only  Create a configuration only network
  -d, --driver string  Driver to manage the Network (default "bridge")
      --egress strings  Names, addresses and subnets outside that its containers may reach, or "none"; all else is refused
      --gateway strings  IPv4 or IPv6 Gateway for the master subnet
      --ingress  Create swarm routing-mesh network
      --internal  Restrict external access to the network
      --ip-range strings  Allocate container ip from a sub-range
      --ipam-driver string  IP Address Management Driver (default "default")
      --ipam-opt map  Set IPAM driver specific options (default map[])
      --ipv4  Enable or disable IPv4 address assignment (default true)
      --ipv6  Enable or disable IPv6 address assignment
      --label list  Set metadata on a network
  -o, --opt map  Set driver specific options (default map[])
      --scope string  Control the network's scope
      --subnet strings  Subnet in CIDR format that represents a network segment
`,
  takes: exactly(1),
  async run({ session, flags, args: [Name = ''] }) {
    const configs: IpamConfig[] = planIpam({
      subnets: flags.list('subnet'),
      ranges: flags.list('ip-range'),
      gateways: flags.list('gateway'),
      auxiliary: keyValues(flags.list('aux-address')),
    });
    if (flags.on('ingress'))
      throw new EngineError('notImplemented', '--ingress is not supported: there is no swarm');
    const configFrom = flags.string('config-from');
    const json = {
      Name,
      Driver: flags.string('driver'),
      Scope: flags.string('scope'),
      EnableIPv4: flags.changed('ipv4') ? flags.on('ipv4') : undefined,
      EnableIPv6: flags.changed('ipv6') ? flags.on('ipv6') : undefined,
      IPAM: {
        Driver: flags.string('ipam-driver'),
        Options: keyValues(flags.list('ipam-opt')),
        Config: configs,
      },
      Internal: flags.on('internal'),
      Attachable: flags.on('attachable'),
      Ingress: false,
      ConfigOnly: flags.on('config-only'),
      ConfigFrom: configFrom === '' ? undefined : { Network: configFrom },
      Options: {
        ...keyValues(flags.list('opt')),
        ...(flags.changed('egress') ? { 'gantry.network.egress': flags.list('egress').join(',') } : {}),
      },
      Labels: keyValues(flags.list('label')),
    };
    const { Id, Warning } = await perform(await session.client(), networkOperations.create, { json });
    if (Warning) session.err.line(`WARNING: ${Warning}`);
    session.out.line(Id);
  },
};
