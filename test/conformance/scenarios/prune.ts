import type { DetailedStep, Scenario } from '../scenario.ts';

/** Something of everything that can be pruned, kept and not, used and not. */
const clean =
  'docker system prune -af --volumes >/dev/null; docker volume prune -f >/dev/null; docker load -qi i.tar >/dev/null';
const stock = `docker save busybox > i.tar; ${clean}
docker create --name $N-gone -l drop=1 busybox >/dev/null
docker create --name $N-kept -l keep=1 busybox >/dev/null
docker run -d --name $N-up -v $N-used:/v --network bridge busybox sleep 300 >/dev/null
docker run --name $N-wrote -l drop=1 busybox sh -c 'head -c 5000 /dev/zero > /f'
docker network create --label drop=1 $N-net >/dev/null
docker network create --label keep=1 $N-netkept >/dev/null
docker volume create --label drop=1 $N-vol >/dev/null
docker volume create --label keep=1 $N-volkept >/dev/null
docker create --name $N-anon -v /anon busybox >/dev/null; docker rm $N-anon >/dev/null
for n in 1 2; do printf "FROM busybox\\nLABEL drop=$n\\n" | DOCKER_BUILDKIT=0 docker build -q -t $N:built - >/dev/null; done
printf "FROM busybox\\nLABEL keep=1\\n" | DOCKER_BUILDKIT=0 docker build -q -t $N:kept - >/dev/null`;
/** What is left of it. */
const left = `docker ps -a --format '{{.Names}}' | sort; docker network ls --format '{{.Name}}' | sort; docker volume ls --format '{{.Name}}' | sed -E 's/^[0-9a-f]{64}$/anonymous/' | sort; docker images --format '{{.Repository}}:{{.Tag}}' | sort`;
/** The layers of a build are not stored the same way, and neither are their sizes. */
const removed: Pick<DetailedStep, 'replace'> = {
  replace: [
    [/^[Dd]eleted: sha256:[0-9a-f]{64}\n/gm, ''],
    [/^(untagged: .*@sha256:)[0-9a-f]{64}$/gm, '$1<digest>'],
    [/^Deleted build cache objects:\n(?:\S+\n)+\n/gm, ''],
    [/^Deleted Images:\n\n/gm, ''],
  ],
};
// Several of a kind are removed in no certain order.
const step = (run: string): DetailedStep => ({ run, ...removed, sorted: true });

export const pruneScenarios: readonly Scenario[] = [
  {
    name: 'prune: system, with every flag',
    alone: true,
    steps: [
      { run: stock, setup: true, timeoutMs: 120_000 },
      step('docker system prune -f --filter label=nosuch'),
      step('docker system prune -f --filter label=drop=1'),
      step(left),
      step('docker system prune -f --filter label!=keep'),
      step(left),
      step('docker system prune -f --filter until=1h'),
      step('docker system prune -f'),
      step(left),
      step('docker system prune -f --volumes'),
      step(left),
      step('docker system prune -af --filter label=keep'),
      step(left),
      step('docker rm -f $N-up >/dev/null; docker system prune -af --volumes'),
      step(left),
      { run: 'docker load -qi i.tar', setup: true },
    ],
  },
  {
    name: 'prune: what is asked first, and what cannot be asked',
    steps: [
      ...[
        'system prune',
        'system prune -a',
        'system prune --volumes',
        'system prune -a --volumes --filter label=x',
        'container prune',
        'image prune',
        'image prune -a',
        'network prune',
        'volume prune',
        'volume prune -a',
      ].map(command => `echo n | docker ${command}`),
      'docker system prune -f --volumes --filter until=1h',
      ...['system', 'container', 'image', 'network', 'volume'].flatMap(kind => [
        `docker ${kind} prune -f --filter nosuch=1 2>&1 | grep -v '^Total'`,
        `docker ${kind} prune -f --filter until=nonsense 2>&1 | grep -v '^Total'`,
        `docker ${kind} prune -f --filter until=1h --filter until=2h 2>&1 | grep -v '^Total'`,
        `docker ${kind} prune -f --filter nonsense 2>&1 | grep -v '^Total'`,
      ]),
      ...['containers', 'images', 'networks', 'volumes'].flatMap(kind => [
        `api POST '/v1.41/${kind}/prune?filters=%7B'`,
        `api POST '/v1.41/${kind}/prune?filters=%7B%22label%22%3A%5B%22no%3Dsuch%22%5D%7D'`,
      ]),
    ],
  },
  {
    name: 'prune: images by label and age',
    alone: true,
    steps: [
      { run: stock, setup: true, timeoutMs: 120_000 },
      step('docker image prune -f --filter label=keep'),
      step('docker image prune -f --filter until=1h'),
      step('docker image prune -f --filter label=drop=1'),
      step('docker image prune -af --filter label!=keep'),
      {
        ...step('docker image prune -f --filter dangling=false'),
        differs: {
          reason: 'the client says true as well, and newer versions do not choose',
          code: 1,
          stderr: /invalid filter 'dangling=\[false true\]'/,
        },
      },
      // 20.10 has removed it by now.
      { run: 'docker rmi $N:kept 2>/dev/null; true', compare: ['code'] },
      step('docker image prune -f --filter dangling=maybe'),
      step("docker images --format '{{.Repository}}:{{.Tag}}' | sort"),
      step('docker image prune -af --filter until=$(date +%s)'),
      step('docker image prune -af'),
      step("docker images --format '{{.Repository}}:{{.Tag}}' | sort"),
      { run: 'docker load -qi i.tar', setup: true },
    ],
  },
  {
    name: 'prune: networks and volumes by label and age',
    alone: true,
    steps: [
      { run: stock, setup: true, timeoutMs: 120_000 },
      step('docker network prune -f --filter label=nosuch'),
      step('docker network prune -f --filter until=1h'),
      step('docker network prune -f --filter label!=keep'),
      step('docker network prune -f --filter until=0s'),
      step('docker volume prune -f --filter label!=keep --filter label!=drop 2>&1 | grep -c .'),
      step('docker volume prune -f --filter label=drop=1'),
      step('docker volume prune -f --filter label!=keep'),
      step('docker volume prune -f'),
      step(left),
    ],
  },
  {
    name: 'prune: what events tell of it',
    alone: true,
    steps: [
      { run: stock, setup: true, timeoutMs: 120_000 },
      {
        run: "date +%s.%N > since; docker system prune -f --volumes >/dev/null; docker events --since $(cat since) --until $(date +%s.%N) --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.reclaimed}}'",
        replace: [
          [/^(image|builder) (delete|untag|prune) .*\n/gm, ''],
          // Newer versions tell of each volume.
          [/^volume destroy .*\n/gm, ''],
        ],
        sorted: true,
      },
    ],
  },
  {
    name: 'prune: disk usage before and after',
    alone: true,
    steps: [
      {
        run: `docker save busybox > i.tar; ${clean}; docker run --name $N busybox sh -c 'head -c 5000 /dev/zero > /f'; docker run -d --name $N-up -v $N:/v -l up=1 busybox sh -c 'head -c 7000 /dev/zero > /v/f; head -c 3000 /dev/zero > /g; sleep 300' >/dev/null; docker volume create $N-unused >/dev/null; docker tag busybox $N:again; until docker exec $N-up test -s /g; do sleep 0.1; done`,
        setup: true,
      },
      'docker system df',
      {
        run: 'docker system df -v',
        // dockerd tells its volumes in no certain order.
        sorted: true,
        replace: [[/(?:Less than a second|About an? \w+|\d+ \w+)(?: ago)?(?= {2,})/g, '<ago>']],
      },
      'docker system df --format json',
      "docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}'",
      "docker system df --format 'table {{.Type}}\\t{{.Size}}'",
      "docker system df --format '{{.Nosuch}}'",
      'docker system df surplus',
      {
        run: 'docker volume rm $N-unused >/dev/null; curl -s --unix-socket $SOCK http://d/v1.41/system/df',
        json: true,
        // `Containers` and `BuildCache` may be empty lists instead of null.
        ignore: ['BuildCache', 'Status', 'Containers.*.NetworkSettings'],
      },
      'docker container prune -f',
      'docker system df',
      step('docker rm -f $N-up >/dev/null; docker volume prune -f'),
      'docker system df',
    ],
  },
];
