import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { between, type Command } from '../../command.ts';
import { keyValues } from '../../key-values.ts';
import { shapeFlags, shapeOptions } from './shape.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [NEW_VOLUME]',
  short: 'Create a volume with the content and labels of another one',
  flags: `
      --label list  Set metadata for the new volume
      --no-pause  Do not pause the containers that use the volume while it is copied
${shapeFlags}
`,
  takes: between(1, 2),
  async run({ session, flags, args: [name = '', Name] }) {
    const json = {
      Name,
      Labels: keyValues(flags.list('label')),
      DriverOpts: shapeOptions(flags),
    };
    const query = { pause: !flags.on('no-pause') };
    const volume = await perform(await session.client(), volumeOperations.clone, {
      path: { name },
      query,
      json,
    });
    session.out.line(volume.Name);
  },
};
