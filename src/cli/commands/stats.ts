import type { ContainerStats } from '../../api/containers.ts';
import type { Client } from '../../client/client.ts';
import { follow, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { anyArguments, type Command } from '../command.ts';
import { type ListLayout, listFormatFlag, printList, renderList } from '../output/list.ts';
import { binarySize, humanSize } from '../output/units.ts';
import type { Session } from '../session.ts';
import { readingOf, type StatsReading } from '../stats-reading.ts';

export const command: Command = {
  usage: '[OPTIONS] [CONTAINER...]',
  short: 'Display a live stream of container(s) resource usage statistics',
  aliases: 'container stats, stats',
  flags: `
  -a, --all  Show all containers (default shows just running)
${listFormatFlag}
      --no-stream  Disable streaming stats and only pull the first result
      --no-trunc  Do not truncate output
`,
  takes: anyArguments,
  async run({ session, flags, args }) {
    const client = await session.client();
    const format = flags.string('format') || (session.config().statsFormat ?? '');
    const layout = statsLayout(!flags.on('no-trunc'));
    const names = args.length > 0 ? args : await listed(client, flags.on('all'));
    if (flags.on('no-stream')) {
      const readings = await Promise.all(names.map(name => readOnce(client, name)));
      printList(session.out, layout, readings, { format });
      return;
    }
    await watch(session, client, { names, all: flags.on('all'), fixed: args.length > 0, layout, format });
  },
};

async function listed(client: Client, all: boolean): Promise<string[]> {
  return (await perform(client, containerOperations.list, { query: { all } })).map(({ Id }) =>
    Id.slice(0, 12),
  );
}

async function readOnce(client: Client, name: string): Promise<StatsReading> {
  // Without one-shot the daemon takes two samples, so that there is a difference to compute from.
  const stats = await perform(client, containerOperations.stats, {
    path: { id: name },
    query: { stream: '0' },
  });
  return readingOf(name, stats);
}

interface Watch {
  names: string[];
  all: boolean;
  /** The containers were named: others that start are not shown. */
  fixed: boolean;
  layout: ListLayout<StatsReading>;
  format: string;
}

/** One stream per container; the screen is redrawn twice a second, as docker does. */
async function watch(
  session: Session,
  client: Client,
  { names, all, fixed, layout, format }: Watch,
): Promise<void> {
  const readings = new Map<string, StatsReading>();
  const running = new Map<string, Promise<void>>();
  const add = (name: string) => {
    if (running.has(name)) return;
    const stream = follow(
      client,
      containerOperations.stats,
      { path: { id: name }, query: { stream: true } },
      (stats: ContainerStats) => {
        readings.set(name, readingOf(name, stats));
      },
    );
    running.set(
      name,
      stream
        .then(() => {})
        .finally(() => {
          running.delete(name);
          if (!all) readings.delete(name);
        }),
    );
  };
  for (const name of names) add(name);
  if (fixed) await Promise.race([...running.values(), delay(1000)]);
  for (let round = 0; ; round++) {
    if (fixed && running.size === 0) return;
    if (!fixed && round % 2 === 1)
      for (const name of await listed(client, all)) addSafely(add, running, name);
    const text = renderList(layout, [...readings.values()], { format });
    session.out.write(session.out.isTerminal ? `\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[J` : text);
    await delay(500);
  }
}

/** A container that is gone before its first reading is simply not shown. */
function addSafely(add: (name: string) => void, running: Map<string, Promise<void>>, name: string): void {
  add(name);
  running.get(name)?.catch(() => {});
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

function statsLayout(truncate: boolean): ListLayout<StatsReading> {
  return {
    typeName: '*container.statsContext',
    headers: {
      Container: 'CONTAINER',
      ID: 'CONTAINER ID',
      Name: 'NAME',
      CPUPerc: 'CPU %',
      MemUsage: 'MEM USAGE / LIMIT',
      MemPerc: 'MEM %',
      NetIO: 'NET I/O',
      BlockIO: 'BLOCK I/O',
      PIDs: 'PIDS',
    },
    columns: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
    row: reading => ({
      Container: reading.container,
      ID: truncate ? reading.id.slice(0, 12) : reading.id,
      Name: reading.name.replace(/^\//, '') || '--',
      CPUPerc: `${reading.cpuPercent.toFixed(2)}%`,
      MemUsage: `${binarySize(reading.memoryBytes)} / ${binarySize(reading.memoryLimitBytes)}`,
      MemPerc: `${reading.memoryPercent.toFixed(2)}%`,
      NetIO: `${humanSize(reading.receivedBytes, 3)} / ${humanSize(reading.sentBytes, 3)}`,
      BlockIO: `${humanSize(reading.readBytes, 3)} / ${humanSize(reading.writtenBytes, 3)}`,
      PIDs: String(reading.processes),
    }),
  };
}
