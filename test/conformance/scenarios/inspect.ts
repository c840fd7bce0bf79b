import type { DetailedStep, Scenario } from '../scenario.ts';

/** Newer versions mask more; networks of several are listed, and health is checked, whenever it comes. */
const newer = ['HostConfig.MaskedPaths'];

/** All of inspect's JSON. */
function inspected(name: string, ...ignore: string[]): DetailedStep {
  return { run: `docker inspect ${name}`, json: true, ignore: [...newer, ...ignore] };
}

/** Makes a container with the flags, and looks at all of it. */
function created(title: string, flags: string, ...ignore: string[]): Scenario {
  return {
    name: `inspect: ${title}`,
    steps: [{ run: `docker create --name $N ${flags} >/dev/null`, setup: true }, inspected('$N', ...ignore)],
  };
}

export const inspectScenarios: readonly Scenario[] = [
  created('nothing given', 'busybox'),
  created(
    'what runs',
    `-e A=b -l a=b --label c -h host1 --domainname dom -u 1000:1000 -w /work -it --entrypoint /bin/sh --stop-signal SIGINT --stop-timeout 7 --expose 7000 --expose 7001/udp busybox -c 'echo "hi there"'`,
  ),
  created(
    'health',
    '--health-cmd true --health-interval 5s --health-retries 2 --health-timeout 3s --health-start-period 4s busybox',
  ),
  created('no health', '--no-healthcheck busybox'),
  created('ports', '-p 127.0.0.1:18601:80 -p 9000-9002 -p 18602:53/udp -P --expose 99 busybox'),
  created(
    'names and name servers',
    '--dns 1.1.1.1 --dns 8.8.8.8 --dns-search x.y --dns-option ndots:2 --add-host a:1.2.3.4 busybox',
  ),
  created(
    'limits',
    `--memory 64m --memory-reservation 32m --memory-swap 128m --cpus 0.5 --cpu-shares 200 --cpuset-cpus 0 --pids-limit 100 --ulimit nofile=100:200 --ulimit core=0 --shm-size 10m --oom-score-adj 100 busybox`,
  ),
  created('cpu period and quota', '--cpu-period 50000 --cpu-quota 25000 --pids-limit -1 busybox'),
  created('device limits', '--device-read-bps /dev/zero:1mb --device-write-iops /dev/zero:100 busybox'),
  created(
    'devices',
    "--device /dev/null:/dev/foo:r --device /dev/zero --device-cgroup-rule 'c 1:3 rwm' busybox",
  ),
  created(
    'rights',
    '--cap-add SYS_ADMIN --cap-drop mknod --security-opt no-new-privileges --group-add 100 --read-only --sysctl net.ipv4.ip_forward=1 busybox',
  ),
  created('privileged', '--privileged busybox'),
  created('namespaces of the host', '--pid host --ipc host --userns host --cgroupns host busybox'),
  created('uts of the host', '--uts host busybox'),
  created('network of the host', '--network host busybox'),
  created('no network', '--network none --restart on-failure:3 busybox'),
  created('always restarted', '--restart always --init busybox'),
  created('removed at its end', '--rm --restart no --isolation default --runtime runc busybox'),
  created('a volume by its name', '-v $N-v:/vol:ro busybox'),
  created('an anonymous volume', '-v /anon busybox', 'Mounts.*.Name', 'Mounts.*.Source'),
  created('a bind by its path', '-v /etc:/b:ro,rslave busybox'),
  created(
    'a bind with --mount',
    '--mount type=bind,src=/etc,dst=/b,readonly,bind-propagation=rslave busybox',
  ),
  created(
    'a volume with --mount',
    '--mount type=volume,src=$N-v,dst=/v,volume-nocopy,volume-label=k=v busybox',
  ),
  created(
    'temporary files',
    '--tmpfs /t:size=2m --mount type=tmpfs,dst=/m,tmpfs-size=1m,tmpfs-mode=1770 busybox',
  ),
  {
    name: 'inspect: links and what is shared',
    steps: [
      { run: 'docker run -d --name $N -v /anon busybox sleep 300 >/dev/null', setup: true },
      {
        run: 'docker create --name $N-2 --link $N:al --volumes-from $N busybox >/dev/null; docker create --name $N-3 --network container:$N --pid container:$N busybox >/dev/null',
        setup: true,
      },
      inspected('$N-2', 'Mounts.*.Name', 'Mounts.*.Source', 'Config.Hostname'),
      // Gantry takes over the other's name at once, dockerd at the start. Ids are compared below.
      inspected('$N-3', 'Config.Hostname', 'HostConfig.NetworkMode', 'HostConfig.PidMode'),
      'id=$(docker inspect -f "{{.Id}}" $N); [ "$(docker inspect -f "{{.HostConfig.PidMode}} {{.HostConfig.NetworkMode}}" $N-3)" = "container:$id container:$id" ] && echo the same',
      "docker ps -a --no-trunc --filter name=$N --format '{{.Names}}' | sort",
      "docker ps -a --filter name=$N-2/al --format '{{.Names}}'",
      "docker rename $N $N-4 && docker inspect -f '{{.HostConfig.Links}}' $N-2",
    ],
  },
  {
    name: 'inspect: running, paused, ended',
    steps: [
      { run: 'docker run -d --name $N -p 18603:80 --expose 90 busybox sleep 300 >/dev/null', setup: true },
      inspected('$N'),
      { run: 'docker pause $N >/dev/null', setup: true },
      inspected('$N'),
      { run: 'docker unpause $N >/dev/null; docker stop -t 0 $N >/dev/null', setup: true },
      inspected('$N'),
    ],
  },
  {
    name: 'inspect: failed',
    steps: [
      'docker run --name $N busybox sh -c "exit 5"',
      inspected('$N'),
      'docker run --name $N-2 busybox nosuch',
      inspected('$N-2', 'Config.Hostname'),
    ],
  },
  {
    name: 'inspect: on a network of its own',
    steps: [
      {
        run: 'docker network create $N --subnet 10.98.61.0/24 >/dev/null; docker run -d --name $N --network $N --network-alias al --ip 10.98.61.7 busybox sleep 300 >/dev/null',
        setup: true,
      },
      inspected('$N'),
      { run: 'docker stop -t 0 $N >/dev/null', setup: true },
      inspected('$N'),
    ],
  },
  {
    name: 'inspect: sizes',
    steps: [
      { run: 'docker run --name $N busybox sh -c "head -c 5000 /dev/zero > /f"', setup: true },
      "docker inspect -s -f '{{.SizeRw}} {{.SizeRootFs}}' $N",
      "docker inspect -f '{{.SizeRw}} {{.SizeRootFs}}' $N",
      { run: 'docker inspect -s $N', json: true, ignore: newer },
    ],
  },
  {
    name: 'inspect: a paused health check',
    steps: [
      {
        run: 'docker run -d --name $N --health-cmd true --health-interval 1h busybox sleep 300 >/dev/null',
        setup: true,
      },
      "docker inspect -f '{{.State.Health.Status}}' $N; docker pause $N >/dev/null; docker inspect -f '{{.State.Health.Status}}' $N; docker ps --filter name=$N --format '{{.Status}}'",
      "docker unpause $N >/dev/null; docker inspect -f '{{.State.Health.Status}}' $N",
    ],
  },
  {
    name: 'inspect: older API versions',
    steps: [
      {
        run: 'docker network create $N >/dev/null; docker run -d --name $N --network $N -p 18604:80 -v /anon busybox sleep 300 >/dev/null',
        setup: true,
      },
      ...['1.24', '1.25', '1.30', '1.38', '1.40'].flatMap(version => [
        {
          run: `api GET /v${version}/containers/$N/json | head -n 1`,
          json: true,
          ignore: [...newer, 'Mounts.*.Name', 'Mounts.*.Source'],
        },
        {
          run: `api GET "/v${version}/containers/json?size=1&filters=%7B%22name%22:%5B%22$N%22%5D%7D" | head -n 1`,
          json: true,
          // dockerd says where an anonymous volume is only when it has started anew.
          ignore: ['Mounts.*.Name', 'Mounts.*.Source', 'Ports'],
        },
      ]),
    ],
  },
  {
    name: 'inspect: what is not there',
    steps: [
      { run: 'docker create --name $N busybox >/dev/null', setup: true },
      'docker inspect nosuch',
      'docker container inspect nosuch $N | grep -c "\\"Id\\""',
      'docker inspect --type container busybox',
      'docker inspect --type volume $N',
      "docker inspect -f '{{.Nosuch}}' $N",
      "docker inspect -f '{{.State.Nosuch}}' $N",
      "docker inspect -f '{{' $N",
      'api GET /v1.41/containers/nosuch/json',
    ],
  },
];
