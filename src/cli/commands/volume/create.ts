import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, upTo } from '../../command.ts';
import { keyValues } from '../../key-values.ts';
import { shapeFlags, shapeOptions } from './shape.ts';

export const command: Command = {
  usage: '[OPTIONS] [VOLUME]',
  short: 'Create a volume',
  flags: `
  -d, --driver string  Specify volume driver name (default "local")
      --label list  Set metadata for a volume
  -o, --opt map  Set driver specific options (default map[])
${shapeFlags}
!     --availability string  volumes of a cluster need Swarm, which there is not
!     --group string  volumes of a cluster need Swarm, which there is not
!     --limit-bytes bytes  volumes of a cluster need Swarm, which there is not
!     --required-bytes bytes  volumes of a cluster need Swarm, which there is not
!     --scope string  volumes of a cluster need Swarm, which there is not
!     --secret map  volumes of a cluster need Swarm, which there is not
!     --sharing string  volumes of a cluster need Swarm, which there is not
!     --topology-preferred list  volumes of a cluster need Swarm, which there is not
!     --topology-required list  volumes of a cluster need Swarm, which there is not
!     --type string  volumes of a cluster need Swarm, which there is not
`,
  takes: upTo(1),
  async run({ session, flags, args: [Name] }) {
    const json = {
      Name,
      Driver: flags.string('driver'),
      DriverOpts: { ...keyValues(flags.list('opt')), ...shapeOptions(flags) },
      Labels: keyValues(flags.list('label')),
    };
    const volume = await perform(await session.client(), volumeOperations.create, { json });
    session.out.line(volume.Name);
  },
};
