import type { ContainerEditResponse, ContainerUpdateRequest } from '../../api/containers.ts';
import type { Client } from '../../client/client.ts';
import { perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { atLeast, type Call, type Command } from '../command.ts';
import { parseRestartPolicy } from '../container-options/create-request.ts';
import { editFlags, planEdit } from '../container-options/edit-request.ts';
import { planLimits } from '../container-options/resources.ts';
import { parseSchedule } from '../container-options/schedule.ts';
import { forEach } from '../for-each.ts';
import { ofGantryd, requireOwnFields } from '../of-gantryd.ts';
import { alignColumns } from '../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...] [-- COMMAND [ARG...]]',
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
      --health-on-failure string  Action when the container is unhealthy ("none"|"restart"|"stop"|"kill"), Gantry only
  -m, --memory bytes  Memory limit
      --memory-reservation bytes  Memory soft limit
      --memory-swap bytes  Swap limit equal to memory plus swap: -1 to enable unlimited swap
      --network-bandwidth string  Limit what is sent and received (e.g., up=10mbit,down=50mbit; 0 for no limit)
      --pids-limit int  Tune container pids limit (set -1 for unlimited)
      --restart string  Restart policy to apply when a container exits
      --schedule string  Start the container at these times, '' at none ("0 3 * * *", "@daily"), Gantry only
      --schedule-catch-up  Make up for missed times with one run, Gantry only
      --schedule-time-zone string  Time zone of --schedule ("Europe/Berlin"; else the daemon's), Gantry only
${editFlags}`,
  takes: atLeast(1),
  async run(call) {
    const { session, flags } = call;
    const { workingDirectory } = session.surroundings;
    const { containers, newCommand } = splitCommand(call);
    const limits: ContainerUpdateRequest = planLimits(flags);
    if (flags.changed('restart')) limits.RestartPolicy = parseRestartPolicy(flags.string('restart'));
    if (flags.changed('health-on-failure')) limits.HealthOnFailure = flags.string('health-on-failure');
    const schedule = parseSchedule(flags);
    if (schedule !== undefined) limits.Schedule = schedule;
    const edit = planEdit(flags, newCommand, { env: session.env, workingDirectory });
    const options = { 'dry-run': flags.on('dry-run'), 'wait-healthy': flags.on('wait-healthy') };
    const onlyLimits = Object.keys(edit).length === 0;
    if (onlyLimits && Object.keys(limits).length === 0)
      throw new EngineError('invalid', 'you must provide one or more flags when using this command');
    const client = await session.client();
    await requireOwnFields(client, limits);
    if (onlyLimits && !options['dry-run'] && !options['wait-healthy']) {
      await updateLimits(call, client, containers, limits);
      return;
    }
    const json = { ...edit, Update: limits };
    await forEach(session, containers, async id => {
      const answer = await ofGantryd('editing a container', () =>
        perform(client, containerOperations.edit, { path: { id }, query: options, json }),
      );
      return options['dry-run'] ? showPlan(id, answer) : undefined;
    });
  },
};

async function updateLimits(
  { session }: Call,
  client: Client,
  containers: readonly string[],
  json: ContainerUpdateRequest,
): Promise<void> {
  const warnings: string[] = [];
  await forEach(session, containers, async id => {
    const answer = await perform(client, containerOperations.update, { path: { id }, json });
    warnings.push(...(answer.Warnings ?? []));
  });
  if (warnings.length > 0) session.out.line(warnings.join('\n'));
}

/** What follows a `--` is the new command; a `--` in front of everything is Docker's end of flags. */
function splitCommand({ args, dashAt }: Call): { containers: string[]; newCommand?: string[] } {
  if (dashAt === undefined || dashAt === 0 || dashAt === args.length) return { containers: args };
  return { containers: args.slice(0, dashAt), newCommand: args.slice(dashAt) };
}

const shownTakes = { nothing: 'as it is', live: 'while it runs', restart: 'needs a restart' };

function showPlan(name: string, { Changes, Restarted }: ContainerEditResponse): string {
  if (Changes.length === 0) return `${name}: nothing would change`;
  const what = Restarted ? 'would be changed and restarted' : 'would be changed';
  const rows = Changes.map(({ Subject, Text, Takes }) => [`  ${Subject}`, Text, shownTakes[Takes]]);
  return `${name}: ${what}\n${alignColumns(rows)}`.trimEnd();
}
