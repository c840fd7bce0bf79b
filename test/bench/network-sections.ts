import { existsSync } from 'node:fs';
import { median, type Row, row } from './measure.ts';
import type { Section } from './sections.ts';
import type { Side } from './side.ts';

/** What networks cost in the daemon: by the API, in one connection, without the start of a client. */
export const networkCalls: Section = async (sides, rounds = 20) => {
  const creations = new Samples(sides);
  const removals = new Samples(sides);
  const both = new Samples(sides);
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      const created = await side.timeCall('POST', '/networks/create', {
        Name: 'bench-call',
        Driver: 'bridge',
      });
      const removed = await side.timeCall('DELETE', '/networks/bench-call');
      if (round === 0) continue;
      creations.add(side, created);
      removals.add(side, removed);
      both.add(side, created + removed);
    }
  }
  return [
    row('network-calls', 'create, by the API', creations.medians()),
    row('network-calls', 'rm, by the API', removals.medians()),
    row('network-calls', 'both', both.medians()),
  ];
};

const containers = 100;
const portsEach = 5;

/**
 * 100 containers are started without ports and 100 with five published ports each, turn about: a start takes the
 * kernel longer the more containers there are. The port's share is that of medians.
 */
export const portCosts: Section = async sides => {
  const taken = new Map<string, StartTimes>();
  for (const side of sides) taken.set(side.kind, await startMany(side));
  const figures = (figure: (times: StartTimes) => number) =>
    new Map([...taken].map(([kind, times]) => [kind, figure(times)]));
  const each = (from: number, to: number) =>
    figures(({ plain, published }) => {
      const more = median(published.slice(from, to)) - median(plain.slice(from, to));
      return Math.max(0, more) / portsEach;
    });
  return [
    row(
      'ports',
      `start of ${containers} containers`,
      figures(times => sum(times.plain)),
    ),
    row(
      'ports',
      `the same with ${containers * portsEach} published ports`,
      figures(times => sum(times.published)),
    ),
    row('ports', 'more for each port', each(0, containers)),
    row('ports', 'for each of the first 100 ports', each(0, 20)),
    row('ports', 'for each of the last 100 ports', each(containers - 20, containers)),
  ];
};

/** Milliseconds, in the order of the containers. */
interface StartTimes {
  plain: number[];
  published: number[];
}

/** The containers are gone afterwards. */
async function startMany(side: Side): Promise<StartTimes> {
  const times: StartTimes = { plain: [], published: [] };
  for (let n = 0; n < containers; n++) {
    times.plain.push(await timeStart(side, `bench-plain-${n}`, []));
    const ports = Array.from({ length: portsEach }, (_, port) => 20_000 + n * portsEach + port);
    times.published.push(await timeStart(side, `bench-ports-${n}`, ports));
  }
  for (let n = 0; n < containers; n++)
    for (const kind of ['plain', 'ports']) await side.ask('DELETE', `/containers/bench-${kind}-${n}?force=1`);
  return times;
}

async function timeStart(side: Side, name: string, ports: readonly number[]): Promise<number> {
  const bindings = ports.map(port => [`${port}/tcp`, [{ HostPort: String(port) }]]);
  await side.ask('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sleep', '100000'],
    HostConfig: { PortBindings: Object.fromEntries(bindings) },
  });
  return side.timeCall('POST', `/containers/${name}/start`);
}

const iperf = '/usr/bin/iperf3';

/** The host's iperf3 in containers that have nothing but its libraries. */
const iperfContainers =
  `docker inspect bench-iperf || { docker inspect bench-iperf-image || { mkdir -p iperf/tmp; cp -L --parents ${iperf} ` +
  `$(ldd ${iperf} | grep -o "/[^ ]*") iperf; tar -C iperf -c . | docker import - bench-iperf-image; }; ` +
  `docker run -d --name bench-iperf -p 18092:5201 bench-iperf-image ${iperf} -s; ` +
  `docker run -d --name bench-iperf-client bench-iperf-image ${iperf} -s; }; ` +
  `until nsenter --target $WORLD --net ${iperf} -c $HOST -p 18092 -n 1M; do sleep 0.2; done`;

const ask = `${iperf} -f m -n 1G -c`;

/** Megabytes a second by iperf3, in the best round: whatever else the machine does only slows it down. */
export const throughput: Section = async (sides, rounds = 5) => {
  if (!existsSync(iperf)) throw new Error(`there is no ${iperf}`);
  const address = '$(docker inspect --format "{{.NetworkSettings.IPAddress}}" bench-iperf)';
  const ways = {
    'between containers': `docker exec bench-iperf-client ${ask} ${address}`,
    'by a published port': `docker exec bench-iperf-client ${ask} $HOST -p 18092`,
    'from the host, published': `nsenter --target $WORLD --net ${ask} $HOST -p 18092`,
  };
  const rows: Row[] = [];
  for (const side of sides) await side.prepare(`{ ${iperfContainers}; } >/dev/null 2>&1`);
  for (const [what, line] of Object.entries(ways)) {
    const best = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        const said = await side.prepare(`${line} | grep receiver`);
        const megabits = Number(/([\d.]+) Mbits\/sec/.exec(said)?.[1]);
        best.set(side.kind, Math.max(best.get(side.kind) ?? 0, megabits / 8));
      }
    }
    rows.push(row('iperf', what, best, 'MB/s'));
  }
  for (const side of sides) await side.prepare('docker rm -f bench-iperf bench-iperf-client >/dev/null');
  return rows;
};

class Samples {
  readonly #values: Map<string, number[]>;

  constructor(sides: readonly Side[]) {
    this.#values = new Map(sides.map(({ kind }) => [kind, []]));
  }

  add(side: Side, value: number): void {
    this.#values.get(side.kind)!.push(value);
  }

  medians(): Map<string, number> {
    return new Map([...this.#values].map(([kind, values]) => [kind, median(values)]));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
