import type { Scenario } from '../scenario.ts';

/** What `docker ps` shows for a filter, by name. */
function listed(...filters: string[]): { run: string; sorted: true } {
  const flags = filters.map(filter => `--filter '${filter}'`).join(' ');
  return { run: `docker ps -a --filter name=$N ${flags} --format '{{.Names}}'`, sorted: true };
}

const oneShot = (number: string) =>
  `curl -s --unix-socket $SOCK "http://d/v1.41/containers/$N-${number}/stats?stream=0&one-shot=1"`;

export const lookingScenarios: readonly Scenario[] = [
  {
    name: 'ps: all that is shown, and how much of it',
    steps: [
      {
        run: `docker run -d --name $N-1 -l x=1 -l y=z -p 18611:80 --expose 90/udp busybox sleep 300 >/dev/null; docker create --name $N-2 -v $N-vol:/v busybox 'a b' c "d'e" 'a very long word to cut off' >/dev/null`,
        setup: true,
      },
      'docker ps -a --filter name=$N',
      'docker ps -a --no-trunc --filter name=$N',
      'docker ps --filter name=$N',
      'docker ps -s --filter name=$N',
      'docker ps -aq --filter name=$N; docker ps -aq --no-trunc --filter name=$N',
      `docker ps -a --filter name=$N --format '{{.ID}}|{{.Names}}|{{.Image}}|{{.Command}}|{{.RunningFor}}|{{.Status}}|{{.State}}|{{.Ports}}|{{.Size}}|{{.Labels}}|{{.Label "x"}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}'`,
      `docker ps -a --no-trunc --filter name=$N --format 'table {{.ID}}\t{{.Command}}\t{{.Label "y"}}\t{{.Mounts}}'`,
      {
        run: 'docker ps -a --filter name=$N --format json',
        json: true,
        // Written with the zone the client finds.
        ignore: ['CreatedAt'],
      },
      "docker ps --format '{{.Nosuch}}'",
      'docker ps extra',
    ],
  },
  {
    name: 'ps: the last ones',
    alone: true,
    steps: [
      {
        run: 'docker run --name $N-1 busybox true; docker create --name $N-2 busybox >/dev/null; docker run -d --name $N-3 busybox sleep 300 >/dev/null',
        setup: true,
      },
      "docker ps -l --format '{{.Names}}'",
      "docker ps -n 2 --format '{{.Names}}'",
      "docker ps -n 3 --format '{{.Names}}'",
      "docker ps -n 0 --filter name=$N --format '{{.Names}}'",
      "docker ps -n -1 --filter name=$N --format '{{.Names}}'",
      "docker ps -n 1 -l -q | wc -l; docker ps -n 2 --filter name=$N-1 --format '{{.Names}}'",
      'docker ps -n x',
    ],
  },
  {
    name: 'ps: by image',
    files: { Dockerfile: 'FROM busybox\nLABEL made=here\n' },
    steps: [
      {
        run: 'docker tag busybox $N:tag; docker build -q -t $N:child . >/dev/null; docker create --name $N-1 busybox >/dev/null; docker create --name $N-2 $N:child >/dev/null; docker create --name $N-3 $N:tag >/dev/null',
        setup: true,
      },
      listed('ancestor=busybox'),
      listed('ancestor=busybox:latest'),
      "docker ps -a --filter name=$N --filter ancestor=$N:child --format '{{.Names}}'",
      "docker ps -a --filter name=$N --filter ancestor=$(docker image inspect -f '{{.Id}}' busybox) --format '{{.Names}}'",
      "docker ps -a --filter name=$N --filter ancestor=$(docker image inspect -f '{{.Id}}' $N:child | cut -c8-19) --format '{{.Names}}'",
      "docker ps -a --filter name=$N --filter ancestor=$(docker image inspect -f '{{index .RootFS.Layers 0}}' busybox) --format '{{.Names}}'",
      "docker ps -a --filter name=$N --filter ancestor=$N:child --filter ancestor=nosuch --format '{{.Names}}'",
      listed('ancestor=nosuch'),
      listed('ancestor=BAD@@'),
      'docker rm $N-1 $N-2 $N-3 >/dev/null; docker rmi $N:tag $N:child >/dev/null',
    ],
  },
  {
    name: 'ps: by port',
    steps: [
      {
        run: 'docker run -d --name $N-1 -p 18612:80 --expose 90/udp busybox sleep 300 >/dev/null; docker create --name $N-2 -p 18613:80 --expose 80 busybox >/dev/null',
        setup: true,
      },
      ...[
        'expose=80',
        'expose=80/tcp',
        'expose=80/udp',
        'expose=90/udp',
        'expose=70-100',
        'publish=80',
        'publish=18612',
        'publish=18612/udp',
        'publish=18600-18620/tcp',
        'publish=18613',
      ].map(filter => listed(filter)),
      ...['x', '9-8', '70000', '80:80', '80/foo', '1-2-3', ''].flatMap(value => [
        `docker ps -aq --filter name=$N --filter 'expose=${value}'`,
        `docker ps -aq --filter name=$N --filter 'publish=${value}'`,
      ]),
    ],
  },
  {
    name: 'ps: by regular expression',
    steps: [
      {
        run: 'for i in a b c; do docker create --name $N-$i busybox >/dev/null; done',
        setup: true,
      },
      ...[
        '^$N-',
        '^/$N-[ab]\\$',
        '^/?$N-(a|c)\\$',
        '$N-[[:alpha:]]\\$',
        '(?i)$N-B\\$',
        '\\A/$N-a\\z',
        '(?P<n>$N-b)',
        '$N-\\pL\\$',
        '$N-[^ab]\\$',
        '$N{1,2}-a',
        '$N-x*b',
        '(?=$N)',
        '$N-(',
        '(a+)+\\$',
      ].map(pattern => ({
        // Other scenarios' containers are there, too.
        run: `docker ps -a --filter name="${pattern}" --format '{{.Names}}' | grep "^$N-"`,
        sorted: true as const,
      })),
    ],
  },
  {
    name: 'ps: by id, network, volume, order',
    steps: [
      {
        run: 'docker network create $N >/dev/null; docker run -d --name $N-1 --network $N -v $N-vol:/v busybox sleep 300 >/dev/null; docker create --name $N-2 --network none -v /etc:/host busybox >/dev/null; docker create --name $N-3 --network host --tmpfs /t --mount type=tmpfs,dst=/tm busybox >/dev/null',
        setup: true,
      },
      "docker ps -a --filter id=$(docker inspect -f '{{.Id}}' $N-1) --format '{{.Names}}'",
      "docker ps -a --filter id=$(docker inspect -f '{{.Id}}' $N-1 | cut -c1-12) --format '{{.Names}}'",
      "docker ps -a --filter id=$(docker inspect -f '{{.Id}}' $N-1 | cut -c5-30) --format '{{.Names}}'",
      "docker ps -a --filter network=$(docker network inspect -f '{{.Id}}' $N) --format '{{.Names}}'",
      "docker ps -a --filter network=$(docker network inspect -f '{{.Id}}' $N | cut -c1-12) --format '{{.Names}}'",
      "docker ps -a --filter network=$N --format '{{.Names}}'",
      "docker ps -a --filter volume=$N-vol --format '{{.Names}}'",
      ...['network=none', 'network=host', 'network=nosuch', 'network=bridg'].map(filter => listed(filter)),
      ...['volume=/v', 'volume=/etc', 'volume=/host', 'volume=/t', 'volume=/tm', 'volume=nosuch'].map(
        filter => listed(filter),
      ),
      "docker ps -a --filter name=$N --filter before=$N-3 --filter since=$N-1 --format '{{.Names}}'",
    ],
  },
  {
    name: 'ps: by state',
    steps: [
      {
        run: "docker create --name $N-1 busybox >/dev/null; docker run --name $N-2 busybox true; docker run --name $N-3 busybox sh -c 'exit 5'; docker run -d --name $N-4 busybox sleep 300 >/dev/null; docker run -d --name $N-5 --health-cmd true --health-interval 1h -l a=b -l c= busybox sleep 300 >/dev/null; docker pause $N-4 >/dev/null",
        setup: true,
        compare: [],
      },
      ...['status=created', 'status=exited', 'status=running', 'status=paused', 'status=dead'].map(filter =>
        listed(filter),
      ),
      "docker ps --filter name=$N --filter status=exited --filter status=created --format '{{.Names}}'",
      ...['exited=0', 'exited=5', 'exited=7', 'health=none', 'health=starting', 'health=healthy'].map(
        filter => listed(filter),
      ),
      listed('exited=0', 'exited=5'),
      ...['label=a', 'label=a=b', 'label=a=c', 'label=c', 'label=c=', 'is-task=true'].map(filter =>
        listed(filter),
      ),
      listed('label=a', 'label=c'),
      listed('label=a', 'status=paused'),
      'docker ps --filter health=bogus',
      'docker ps --filter exited=',
      'docker ps --filter is-task=x',
      'docker ps --filter status=',
      'docker ps --filter nofilter',
    ],
  },
  {
    name: 'top: options of ps',
    steps: [
      { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true },
      'docker top $N -o comm,pid | sed "s/[0-9][0-9]*/PID/"',
      'docker top $N o pid,args | sed "s/[0-9][0-9]*/PID/"',
      'docker top $N -eo user,group,pid,args | sed "s/ [0-9][0-9]* / PID /"',
      'docker top $N -o pid -o comm | sed "s/[0-9][0-9]*/PID/"',
      'docker top $N -C sleep | sed "s/[0-9][0-9]*/PID/"',
      'docker top $N -m | sed "s/[0-9][0-9]*/PID/"',
      'docker top $N -o args,comm',
      'docker top $N -o pid=PROC,args',
      'docker top $N -o args=PID,pid',
      'docker top $N -o nosuch',
      'docker top $N h',
      'docker top $N -o comm -p 1',
      'docker pause $N >/dev/null; docker top $N -o comm,pid | sed "s/[0-9][0-9]*/PID/"; docker unpause $N >/dev/null',
      'docker top',
    ],
  },
  {
    name: 'port: exposed only, and stopped',
    steps: [
      { run: 'docker run -d --name $N -p 18614:80 --expose 90 busybox sleep 300 >/dev/null', setup: true },
      { run: 'docker port $N', sorted: true },
      { run: 'docker port $N 80', sorted: true },
      'docker port $N 80/udp',
      'docker port $N 90',
      'docker port $N x',
      'docker stop -t 0 $N >/dev/null; docker port $N; docker port $N 80',
    ],
  },
  {
    name: 'diff: moved, linked, made anew',
    steps: [
      {
        run: `docker run --name $N -v /vol --tmpfs /tmp busybox sh -c 'mkdir -p /d1/d2; echo a > /d1/d2/f; chmod 700 /root; mv /etc/passwd /etc/p2; rm -rf /var; mkdir /var; ln -s x /lnk; mkfifo /ff; ln /d1/d2/f /hard; touch "/odd
name" /vol/x /tmp/y'`,
        setup: true,
      },
      { run: 'docker diff $N', sorted: true },
      { run: 'docker start -a $N >/dev/null 2>&1; docker diff $N', sorted: true },
    ],
  },
  {
    name: 'stats: whose links, and limits beyond the machine',
    steps: [
      {
        run: 'docker run -d --name $N-1 --memory 100t busybox sleep 300 && docker run -d --name $N-2 --network container:$N-1 busybox sleep 300 && docker run -d --name $N-3 --network host busybox sleep 300 && docker run -d --name $N-4 --network container:$N-3 busybox sleep 300 && docker run -d --name $N-5 --network none busybox sleep 300',
        setup: true,
      },
      `all=$(($(grep MemTotal: /proc/meminfo | tr -dc 0-9) * 1024)); for i in 1 2 3 4 5; do ${oneShot('$i')} | grep -oE '"networks":."eth0"|"limit":[0-9]+' | sed "s/$all/all/" | sort; done`,
      `[ -e /sys/fs/cgroup/cgroup.controllers ] || ${oneShot('2')} | grep -oE '"hierarchical_memory_limit":[0-9]+'`,
    ],
  },
  {
    name: 'stats: of several, and of what does not run',
    steps: [
      {
        run: 'docker run -d --name $N-1 --network none busybox sleep 300 >/dev/null; docker create --name $N-2 busybox >/dev/null',
        setup: true,
      },
      "docker stats --no-stream --format '{{.Container}}|{{.ID}}|{{.Name}}|{{.PIDs}}|{{.NetIO}}' $N-1 $N-2",
      "docker stats --no-stream --no-trunc --format 'table {{.Container}}\\t{{.Name}}\\t{{.PIDs}}' $N-1",
      { run: 'docker stats --no-stream --format json $N-2', json: true },
      'docker stats --no-stream $N-1 nosuch',
      {
        run: 'api GET "/v1.41/containers/$N-2/stats?stream=0" | head -n 1',
        json: true,
      },
      {
        run: 'api GET "/v1.41/containers/$N-1/stats?stream=0" | head -n 1',
        json: true,
        ignore: [
          'cpu_usage',
          'system_cpu_usage',
          'usage',
          'max_usage',
          'memory_stats.stats.*',
          'read',
          'preread',
          // what the kernel wrote back for the container's start: chance
          'io_service_bytes_recursive',
          'io_serviced_recursive',
        ],
      },
      'api GET "/v1.41/containers/$N-1/stats?one-shot=1"',
      'api GET "/v1.41/containers/nosuch/stats?stream=0"',
    ],
  },
];
