import { median, type Row, row, table } from './measure.ts';
import { networkCalls, portCosts, throughput } from './network-sections.ts';
import type { Side } from './side.ts';

/** A section measures both sides, turn about, so that a busy moment of the machine hits both. */
export type Section = (sides: readonly Side[], rounds: number | undefined) => Promise<Row[]>;

interface Comparison {
  section: string;
  what: string;
  /** Done before every measured line, outside the clock. */
  before?: string;
  line: string;
  after?: string;
  /** Lines that take long are measured less often. */
  rounds?: number;
}

const lines40Mb =
  'yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678 | head -n 500000';

/** A context of 2,000 small files in 20 folders and a Dockerfile that copies and runs. */
const buildContext =
  'test -d context || { mkdir context; for d in $(seq 20); do mkdir context/d$d; for f in $(seq 100); do echo $d $f > context/d$d/f$f; done; done; ' +
  'printf "FROM busybox\\nCOPY . /app\\nRUN find /app -type f | wc -l > /count\\nCMD [\\"cat\\", \\"/count\\"]\\n" > context/Dockerfile; }';

/** $REG/bench:1, 200 MB in 4,000 files that compress to about half, as program files do. */
const bigImage =
  'test -f bigroot.tar || { mkdir bigroot; for i in $(seq 40); do mkdir bigroot/$i; ' +
  '{ head -c 2500000 /dev/urandom; head -c 2500000 /dev/zero; } | (cd bigroot/$i && split -b 50000 - f); done; tar -cf bigroot.tar -C bigroot .; rm -r bigroot; }; ' +
  'docker inspect $REG/bench:1 >/dev/null 2>&1 || docker import bigroot.tar $REG/bench:1';

/** The image bench-files with 10,000 files of a few bytes in /data; the same files are in many/files. */
const manyFiles =
  'test -d many || { mkdir many; for d in $(seq 100); do mkdir -p many/files/d$d; (cd many/files/d$d; for f in $(seq 100); do echo $d $f > f$f; done); done; ' +
  'printf "FROM busybox\\nCOPY files /data\\n" > many/Dockerfile; }; ' +
  'docker inspect bench-files >/dev/null 2>&1 || docker build -q -t bench-files many';

/** $REG/large:1, one file of 1 GB, half of which is random. */
const largeImage =
  'test -f large.tar || { mkdir large; for i in $(seq 20); do head -c 25000000 /dev/urandom; head -c 25000000 /dev/zero; done > large/file; tar -cf large.tar -C large .; rm -r large; }; ' +
  'docker inspect $REG/large:1 >/dev/null 2>&1 || docker import large.tar $REG/large:1';

const keep = (name: string): string =>
  `docker inspect ${name} || docker run -d --name ${name} busybox sleep 100000`;

/** DIRECTORY with FILES files of a few bytes, 100 in each folder; five RUN steps around a COPY of all. */
const buildKitContext = (directory: string, files: number): string =>
  `test -d ${directory} || { mkdir ${directory}.new; for d in $(seq ${files / 100}); do mkdir ${directory}.new/d$d; ` +
  `(cd ${directory}.new/d$d; for f in $(seq 100); do echo $d $f > f$f; done); done; ` +
  'printf "FROM busybox\\nRUN echo one > /one\\nRUN echo two > /two\\nRUN mkdir /three\\nCOPY . /app\\n' +
  `RUN find /app -type f | wc -l > /count\\nRUN rm /two\\n" > ${directory}.new/Dockerfile; mv ${directory}.new ${directory}; }`;

/** Four stages that wait for nothing but the clock, and one that needs them all. */
const stagesContext =
  'test -d stages || { mkdir stages; for s in a b c d; do printf "FROM busybox AS $s\\nRUN sleep 2; echo $s > /$s\\n"; done > stages/Dockerfile; ' +
  'printf "FROM busybox\\nCOPY --from=a /a /\\nCOPY --from=b /b /\\nCOPY --from=c /c /\\nCOPY --from=d /d /\\n" >> stages/Dockerfile; }';

/** A web server with a file of 1 GB (no disk behind it) at port 18091, and a container to ask it from. */
const bigServer =
  'docker inspect bench-server || { docker run -d --name bench-client busybox sleep 100000; ' +
  'docker run -d --name bench-server -p 18091:80 busybox sh -c "cd /var/www; echo x > small; truncate -s 1G big; exec httpd -f -h ."; ' +
  'docker exec bench-client sh -c "until wget -qO /dev/null http://$HOST:18091/small; do sleep 0.1; done"; }';

const fetchBy = (place: string): string =>
  "IP=$(docker inspect --format '{{.NetworkSettings.IPAddress}}' bench-server); " +
  `docker exec bench-client wget -qO /dev/null http://${place}/big`;

/** On the host that the daemon thinks it has. */
const inWorld = 'nsenter --target $WORLD --net';

const bk = 'DOCKER_BUILDKIT=1 docker build -q';
const gb = 'DOCKER_BUILDKIT=1 $GANTRY build -q -t bench-gb';

/** A project of ten services: half of them wait for the other half, some have a volume, all are on two networks. */
const tenServices =
  'test -f ten/compose.yaml || { mkdir ten; { echo "services:"; for i in $(seq 10); do ' +
  'echo "  s$i: {image: busybox, command: sleep 100000, stop_signal: SIGKILL, environment: {A: \'$i\'}, networks: [front, back]"; ' +
  'test $i -le 5 || echo "    , depends_on: [s$((i - 5))]"; test $((i % 3)) -gt 0 || echo "    , volumes: [\'data:/data\']"; ' +
  'echo "  }"; done; printf "volumes: {data: }\\nnetworks: {front: , back: }\\n"; } > ten/compose.yaml; }';

const manyServices =
  'test -f many/compose.yaml || { mkdir many; { echo "services:"; for i in $(seq 200); do ' +
  'printf "  s$i:\\n    image: busybox:\\${TAG:-latest}\\n    command: [sleep, \\"$i\\"]\\n    restart: unless-stopped\\n"; ' +
  'printf "    environment:\\n      NUMBER: \\"$i\\"\\n      WHO: \\${HOME}\\n    ports: [\\"$((10000 + i)):80\\"]\\n"; ' +
  'printf "    labels: {one: a, two: b $i}\\n    volumes:\\n      - data:/data\\n      - ./conf:/conf:ro\\n"; ' +
  'printf "    networks: [front, back]\\n    healthcheck: {test: \\"true\\", interval: 10s}\\n"; ' +
  'test $i -eq 1 || printf "    depends_on: [s$((i - 1))]\\n"; ' +
  'done; printf "volumes: {data: }\\nnetworks: {front: , back: }\\n"; } > many/compose.yaml; }';

export const sections: Record<string, Section> = {
  start: async sides => [
    row('start', 'daemon until it answers', new Map(sides.map(side => [side.kind, side.startMs]))),
  ],

  run: compareAll([
    { section: 'run', what: 'run --rm, bridge', line: 'docker run --rm busybox true' },
    { section: 'run', what: 'run --rm, none', line: 'docker run --rm --network none busybox true' },
    { section: 'run', what: 'run --rm, host', line: 'docker run --rm --network host busybox true' },
    { section: 'run', what: 'run --rm -p', line: 'docker run --rm -p 18080:80 busybox true' },
    {
      section: 'run',
      what: 'run -d, then rm -f',
      line: 'docker rm -f $(docker run -d busybox sleep 1000) >/dev/null',
    },
  ]),

  many: compareAll([
    {
      section: 'many',
      what: '40 runs by 8 clients',
      line: 'seq 40 | xargs -P 8 -I{} docker run --rm busybox true',
      rounds: 3,
    },
  ]),

  exec: compareAll([
    { section: 'exec', what: 'exec true', before: keep('bench-exec'), line: 'docker exec bench-exec true' },
    {
      section: 'exec',
      what: 'exec -i, one line',
      before: keep('bench-exec'),
      line: 'echo x | docker exec -i bench-exec cat',
      after: 'docker rm -f bench-exec',
    },
  ]),

  lifecycle: compareAll([
    {
      section: 'lifecycle',
      what: 'stop and start',
      before:
        'docker run -d --name bench-stop busybox sh -c \'trap "exit 0" TERM; while :; do sleep 0.02; done\'; sleep 0.3',
      line: 'docker stop bench-stop; docker start bench-stop',
      after: 'docker rm -f bench-stop',
    },
  ]),

  logs: compareAll([
    {
      section: 'logs',
      what: '40 MB written by a container',
      line: `docker run --name bench-logs busybox sh -c '${lines40Mb}' >/dev/null; docker rm bench-logs`,
      rounds: 3,
    },
    {
      section: 'logs',
      what: '40 MB read by logs',
      before: `docker run -d --name bench-logs --log-opt max-size=200m busybox sh -c '${lines40Mb}'; docker wait bench-logs`,
      line: 'test $(docker logs bench-logs | wc -c) -ge 40000000',
      after: 'docker rm bench-logs',
      rounds: 3,
    },
    {
      section: 'logs',
      what: 'last 10 of 40 MB',
      before: `docker run -d --name bench-logs --log-opt max-size=200m busybox sh -c '${lines40Mb}'; docker wait bench-logs`,
      line: 'docker logs --tail 10 bench-logs',
      after: 'docker rm bench-logs',
      rounds: 3,
    },
  ]),

  stream: compareAll([
    {
      section: 'stream',
      what: '40 MB to the terminal',
      line: 'docker run --rm --log-driver none busybox head -c 40000000 /dev/zero | cat >/dev/null',
      rounds: 3,
    },
    {
      section: 'stream',
      what: '40 MB through stdin',
      line: 'head -c 40000000 /dev/zero | docker run --rm -i --log-driver none busybox wc -c',
      rounds: 3,
    },
  ]),

  build: compareAll([
    {
      section: 'build',
      what: 'cold, 2,000 files',
      before: `${buildContext}; docker rmi -f bench-build`,
      line: 'docker build --no-cache -q -t bench-build context',
      rounds: 3,
    },
    {
      section: 'build',
      what: 'cached, 2,000 files',
      before: `${buildContext}; docker build -q -t bench-build context`,
      line: 'docker build -q -t bench-build context',
      rounds: 5,
    },
    {
      section: 'build',
      what: 'one file changed',
      before: `${buildContext}; docker build -q -t bench-build context; date +%N > context/d1/f1`,
      line: 'docker build -q -t bench-build context',
      rounds: 3,
    },
  ]),

  buildkit: compareAll([
    {
      section: 'buildkit',
      what: 'cold, 5 RUN, 2,000 files',
      before: `${buildKitContext('files2000', 2000)}; docker builder prune -af; docker rmi -f bench-bk`,
      line: `${bk} -t bench-bk files2000`,
      rounds: 5,
    },
    {
      section: 'buildkit',
      what: '--no-cache, 5 RUN, 2,000 files',
      before: buildKitContext('files2000', 2000),
      line: `${bk} --no-cache -t bench-bk files2000`,
      rounds: 5,
    },
    {
      section: 'buildkit',
      what: 'cached, 2,000 files',
      before: `${buildKitContext('files2000', 2000)}; ${bk} -t bench-bk files2000`,
      line: `${bk} -t bench-bk files2000`,
      rounds: 10,
    },
    {
      section: 'buildkit',
      what: 'one of 2,000 files changed',
      before: `${buildKitContext('files2000', 2000)}; ${bk} -t bench-bk files2000; date +%N > files2000/d1/f1`,
      line: `${bk} -t bench-bk files2000`,
      rounds: 5,
    },
    {
      section: 'buildkit',
      what: 'cached, 50,000 files',
      before: `${buildKitContext('files50000', 50_000)}; ${bk} -t bench-bk files50000`,
      line: `${bk} -t bench-bk files50000`,
      rounds: 5,
    },
    {
      section: 'buildkit',
      what: 'one of 50,000 files changed',
      before: `${buildKitContext('files50000', 50_000)}; ${bk} -t bench-bk files50000; date +%N > files50000/d1/f1`,
      line: `${bk} -t bench-bk files50000`,
      rounds: 2,
    },
    {
      section: 'buildkit',
      what: 'four stages of 2 s',
      before: stagesContext,
      line: `${bk} --no-cache stages`,
      rounds: 3,
    },
    {
      section: 'buildkit',
      what: 'what the client takes to start',
      line: 'docker buildx version',
      rounds: 5,
    },
  ]),

  // The same builds by Gantry's client, which starts faster: more of the difference is the daemon's.
  'gantry-build': compareAll([
    {
      section: 'gantry-build',
      what: 'cached, 2,000 files',
      before: `${buildKitContext('files2000', 2000)}; ${gb} files2000`,
      line: `${gb} files2000`,
      rounds: 10,
    },
    {
      section: 'gantry-build',
      what: 'cached, 50,000 files',
      before: `${buildKitContext('files50000', 50_000)}; ${gb} files50000`,
      line: `${gb} files50000`,
      rounds: 5,
    },
  ]),

  ship: compareAll([
    {
      section: 'ship',
      what: 'first push 200 MB, 4,000 files',
      before: `rm -rf ../registry/docker; docker rmi -f $REG/bench:1; ${bigImage}`,
      line: 'docker push -q $REG/bench:1',
      rounds: 3,
    },
    {
      section: 'ship',
      what: 'push again 200 MB, 4,000 files',
      before: `${bigImage}; rm -rf ../registry/docker`,
      line: 'docker push -q $REG/bench:1',
      rounds: 3,
    },
    {
      section: 'ship',
      what: 'pull 200 MB, 4,000 files',
      before: `${bigImage}; docker push -q $REG/bench:1; docker rmi $REG/bench:1`,
      line: 'docker pull -q $REG/bench:1',
      rounds: 3,
    },
    {
      section: 'ship',
      what: 'save 200 MB',
      before: bigImage,
      line: 'docker save -o big.tar $REG/bench:1',
      after: 'rm -f big.tar',
      rounds: 3,
    },
    {
      section: 'ship',
      what: 'load 200 MB',
      before: `${bigImage}; docker save -o big.tar $REG/bench:1; docker rmi $REG/bench:1`,
      line: 'docker load -q -i big.tar',
      after: 'rm -f big.tar',
      rounds: 3,
    },
  ]),

  large: compareAll([
    {
      section: 'large',
      what: 'first push 1 GB, one file',
      before: `rm -rf ../registry/docker; docker rmi -f $REG/large:1; ${largeImage}`,
      line: 'docker push -q $REG/large:1',
      rounds: 1,
    },
    {
      section: 'large',
      what: 'pull 1 GB, one file',
      before: `${largeImage}; docker push -q $REG/large:1; docker rmi $REG/large:1`,
      line: 'docker pull -q $REG/large:1',
      rounds: 1,
    },
    {
      section: 'large',
      what: 'save 1 GB, one file',
      before: largeImage,
      line: 'docker save -o large-saved.tar $REG/large:1',
      after: 'rm -f large-saved.tar',
      rounds: 1,
    },
    {
      section: 'large',
      what: 'load 1 GB, one file',
      before: `${largeImage}; docker save -o large-saved.tar $REG/large:1; docker rmi $REG/large:1`,
      line: 'docker load -q -i large-saved.tar',
      after: 'rm -f large-saved.tar',
      rounds: 1,
    },
  ]),

  network: compareAll([
    {
      section: 'network',
      what: 'network create, network rm',
      line: 'docker network create bench-net; docker network rm bench-net',
    },
    {
      section: 'network',
      what: 'run --rm with 100 published ports',
      line: 'docker run --rm -p 18100-18199:100-199 busybox true',
      rounds: 3,
    },
    { section: 'network', what: '1 GB between containers', before: bigServer, line: fetchBy('$IP:80') },
    { section: 'network', what: '1 GB by a published port', before: bigServer, line: fetchBy('$HOST:18091') },
    {
      section: 'network',
      what: '1 GB from the host, published',
      before: bigServer,
      line: `${inWorld} curl -s -o /dev/null http://$HOST:18091/big`,
    },
    {
      section: 'network',
      what: '1,000 connections to a port',
      before: bigServer,
      line: `${inWorld} curl -s -H 'Connection: close' -o /dev/null "http://$HOST:18091/small?[1-1000]"`,
      after: 'docker rm -f bench-server bench-client',
    },
  ]),

  'network-calls': networkCalls,
  ports: portCosts,
  iperf: throughput,

  volumes: compareAll([
    {
      section: 'volumes',
      what: 'a volume that is there, run --rm',
      before: `${manyFiles}; docker run --rm -v bench-volume:/data bench-files true`,
      line: 'docker run --rm -v bench-volume:/data bench-files true',
      rounds: 5,
    },
    {
      section: 'volumes',
      what: 'first copy-up of 10,000 files, run --rm',
      before: `${manyFiles}; docker volume rm -f bench-volume`,
      line: 'docker run --rm -v bench-volume:/data bench-files true',
      rounds: 5,
    },
    {
      section: 'volumes',
      what: 'cp -a of the same files',
      before: 'rm -rf copied',
      line: 'cp -a many/files copied',
      after: 'rm -rf copied',
      rounds: 5,
    },
  ]),

  ps: compareAll([
    {
      section: 'ps',
      what: 'ps -a beside 200 containers',
      before:
        'test $(docker ps -aq | wc -l) -ge 200 || seq 200 | xargs -P 4 -I{} docker create --name bench-ps-{} busybox true',
      line: 'docker ps -a >/dev/null',
      rounds: 10,
    },
    {
      section: 'ps',
      what: 'inspect beside 200 containers',
      line: 'docker inspect bench-ps-100 >/dev/null',
      rounds: 10,
    },
    { section: 'ps', what: 'version', line: 'docker version >/dev/null', rounds: 10 },
  ]),

  // Each side's own: docker compose on dockerd, `gantry compose` on gantryd.
  compose: compareAll([
    {
      section: 'compose',
      what: 'up, 10 services',
      before: `${tenServices}; $COMPOSE -f ten/compose.yaml down -v`,
      line: '$COMPOSE -f ten/compose.yaml up -d 2>&1',
      rounds: 5,
    },
    {
      section: 'compose',
      what: 'up again, nothing to do',
      before: `${tenServices}; $COMPOSE -f ten/compose.yaml up -d`,
      line: '$COMPOSE -f ten/compose.yaml up -d 2>&1',
    },
    {
      section: 'compose',
      what: 'down -v, 10 services',
      before: `${tenServices}; $COMPOSE -f ten/compose.yaml up -d`,
      line: '$COMPOSE -f ten/compose.yaml down -v 2>&1',
      rounds: 5,
    },
    {
      section: 'compose',
      what: 'config, 200 services',
      before: manyServices,
      line: '$COMPOSE -f many/compose.yaml config',
    },
    {
      section: 'compose',
      what: 'what the client takes to start',
      line: '$COMPOSE version',
    },
  ]),

  memory: async sides => {
    const idle = new Map(sides.map(side => [side.kind, side.memory().engineMb]));
    const idleMonitors = new Map(sides.map(side => [side.kind, side.memory().monitorsMb]));
    const run =
      'seq 100 | xargs -P 2 -I{} docker run -d --name bench-memory-{} --network none busybox sleep 100000';
    for (const side of sides) await side.prepare(`${run} >/dev/null`);
    const full = new Map(sides.map(side => [side.kind, side.memory().engineMb]));
    const each = new Map(
      sides.map(side => {
        const { engineMb, monitorsMb } = side.memory();
        return [
          side.kind,
          (engineMb + monitorsMb - idle.get(side.kind)! - idleMonitors.get(side.kind)!) / 100,
        ];
      }),
    );
    for (const side of sides) await side.prepare('docker rm -f $(docker ps -aq) >/dev/null');
    return [
      row('memory', 'daemon, idle', idle, 'MB'),
      row('memory', 'daemon, 100 containers', full, 'MB'),
      row('memory', 'each more container, all told', each, 'MB'),
    ];
  },
};

function compareAll(comparisons: readonly Comparison[]): Section {
  return async (sides, rounds) => {
    const rows: Row[] = [];
    for (const one of comparisons) {
      const result = await compare(one, sides, rounds ?? one.rounds ?? 10);
      process.stderr.write(`${table([result])}\n`);
      rows.push(result);
    }
    return rows;
  };
}

async function compare(one: Comparison, sides: readonly Side[], rounds: number): Promise<Row> {
  const taken = new Map<string, number[]>(sides.map(side => [side.kind, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      if (one.before) await side.prepare(`{ ${one.before}; } >/dev/null 2>&1 || { ${one.before}; }`);
      const ms = await side.time(`${one.line} >/dev/null`);
      if (one.after) await side.prepare(`${one.after} >/dev/null`);
      // The first round warms caches on both sides and does not count.
      if (round > 0) taken.get(side.kind)!.push(ms);
    }
  }
  return row(one.section, one.what, new Map([...taken].map(([kind, values]) => [kind, median(values)])));
}
