import type { Client } from '../../client/client.ts';
import { perform } from '../../client/operation.ts';
import {
  containerOperations,
  imageOperations,
  networkOperations,
  secretOperations,
  volumeOperations,
} from '../../client/operations.ts';
import { EngineError, kindOf } from '../../stdx/errors.ts';
import { atLeast, type Command } from '../command.ts';
import { type Inspected, inspectAll, inspectFormatFlag } from '../output/inspection.ts';

export const command: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  short: 'Return low-level information on Docker objects',
  flags: `
${inspectFormatFlag}
  -s, --size  Display total file sizes if the type is container
      --type string  Only inspect objects of the given type
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const type = flags.string('type');
    if (flags.changed('type') && !Object.hasOwn(inspectors, type)) {
      if (type === '')
        throw new EngineError(
          'invalid',
          'type is empty: must be one of "config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"',
        );
      throw new EngineError(
        'invalid',
        `unknown type: ${JSON.stringify(type)}: must be one of "container", "image", "network", "secret", "volume"`,
      );
    }
    const size = flags.on('size');
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), name => {
      return type === '' ? inspectAny(client, name, size) : inspectors[type]!(client, name, size);
    });
  },
};

type Inspector = (client: Client, name: string, size: boolean) => Promise<Inspected>;

/** In the order a name is tried. */
const inspectors: Record<string, Inspector> = {
  container: async (client, id, size) => ({
    type: 'container.InspectResponse',
    json: await perform(client, containerOperations.inspect, { path: { id }, query: { size } }),
  }),
  image: async (client, name) => ({
    type: 'image.InspectResponse',
    json: await perform(client, imageOperations.inspect, { path: { name } }),
  }),
  network: async (client, id) => ({
    type: 'network.Inspect',
    json: await perform(client, networkOperations.inspect, { path: { id } }),
  }),
  volume: async (client, name) => ({
    type: 'volume.Volume',
    json: await perform(client, volumeOperations.inspect, { path: { name } }),
  }),
  secret: async (client, id) => ({
    type: 'swarm.Secret',
    json: await perform(client, secretOperations.inspect, { path: { id } }),
  }),
};

const inspectAny: Inspector = async (client, name, size) => {
  for (const [type, inspector] of Object.entries(inspectors)) {
    // As docker has it outside a swarm.
    if (type === 'secret') continue;
    try {
      return await inspector(client, name, size);
    } catch (error) {
      if (kindOf(error) !== 'notFound') throw error;
    }
  }
  throw new EngineError('notFound', `Error: No such object: ${name}`);
};
