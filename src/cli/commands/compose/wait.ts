import { perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { atLeast, type Call, type Command } from '../../command.ts';
import { isAlive } from '../../compose/life-cycle.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { takeDown } from '../../compose/take-down.ts';

export const command: Command = {
  usage: 'SERVICE [SERVICE...] [OPTIONS]',
  short: 'Block until containers of all (or specified) services stop.',
  aliases: 'compose wait',
  flags: `
      --down-project  Drops project when the first container stops
`,
  takes: atLeast(1),
  async run(call) {
    const { flags } = call;
    const downs = flags.on('down-project');
    const status = await untilEnded(call, downs);
    if (downs) await takeDown(call, { services: [], removeOrphans: false, volumes: false });
    return status;
  },
};

/** @returns the exit code of the container that ended last, or first */
async function untilEnded({ session, groupFlags, args }: Call, onlyFirst: boolean): Promise<number> {
  const { name, all } = await projectContainers(session, groupFlags, []);
  const awaited = all.filter(container => args.includes(container.service) && isAlive(container));
  if (awaited.length === 0)
    throw new EngineError('notFound', `no containers for project ${JSON.stringify(name)}`);
  const client = await session.client();
  let status = 0;
  const ends = awaited.map(async ({ id }) => {
    const { StatusCode } = await perform(client, containerOperations.wait, { path: { id } });
    session.out.line(`container ${JSON.stringify(id)} exited with status code ${StatusCode}`);
    status = StatusCode;
  });
  await (onlyFirst ? Promise.race(ends) : Promise.all(ends));
  return status;
}
