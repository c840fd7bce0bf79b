import type { ContainerUpdateRequest } from '../../api/containers.ts';
import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { atLeast, type Command } from '../command.ts';
import { parseRestartPolicy } from '../container-options/create-request.ts';
import { planLimits } from '../container-options/resources.ts';
import { forEach } from '../for-each.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Update configuration of one or more containers',
  aliases: 'container update, update',
  flags: `
      --blkio-weight uint16  Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
      --cpu-period int  Limit CPU CFS (Completely Fair Scheduler) period
      --cpu-quota int  Limit CPU CFS (Completely Fair Scheduler) quota
      --cpu-rt-period int  Limit the CPU real-time period in microseconds
      --cpu-rt-runtime int  Limit the CPU real-time runtime in microseconds
  -c, --cpu-shares int  CPU shares (relative weight)
      --cpus decimal  Number of CPUs
      --cpuset-cpus string  CPUs in which to allow execution (0-3, 0,1)
      --cpuset-mems string  MEMs in which to allow execution (0-3, 0,1)
  -m, --memory bytes  Memory limit
      --memory-reservation bytes  Memory soft limit
      --memory-swap bytes  Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --pids-limit int  Tune container pids limit (set -1 for unlimited)
      --restart string  Restart policy to apply when a container exits
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const json: ContainerUpdateRequest = planLimits(flags);
    if (flags.changed('restart')) json.RestartPolicy = parseRestartPolicy(flags.string('restart'));
    if (Object.keys(json).length === 0)
      throw new EngineError('invalid', 'you must provide one or more flags when using this command');
    const client = await session.client();
    const warnings: string[] = [];
    await forEach(session, args, async id => {
      const answer = await perform(client, containerOperations.update, { path: { id }, json });
      warnings.push(...(answer.Warnings ?? []));
    });
    if (warnings.length > 0) session.out.line(warnings.join('\n'));
  },
};
