import type { Scenario } from '../scenario.ts';

/** Newer versions hide more. */
const masked = 'HostConfig.MaskedPaths';
const running = { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true };

export const observeScenarios: readonly Scenario[] = [
  {
    name: 'inspect: a created container, whole',
    steps: [
      { run: 'docker create --name $N busybox >/dev/null; docker inspect $N', json: true, ignore: [masked] },
    ],
  },
  {
    name: 'inspect: a running container, whole',
    steps: [running, { run: 'docker inspect $N', json: true, ignore: [masked] }],
  },
  {
    name: 'inspect: an exited container, whole',
    steps: [
      { run: "docker run --name $N busybox sh -c 'exit 3'; docker inspect $N", json: true, ignore: [masked] },
    ],
  },
  {
    name: 'inspect: a container with many flags, whole',
    steps: [
      {
        run: `docker create --name $N -it -h box -e A=1 -w /tmp -u app -l a=b --entrypoint sh -p 127.0.0.1:18080:80 -p 53/udp --expose 99 -v $N-v:/data:ro -v /etc/hostname:/h -v /anon --tmpfs /scratch:size=1m --mount type=tmpfs,dst=/scratch2 --memory 64m --cpus 0.5 --pids-limit 50 --cpu-shares 512 --cpuset-cpus 0 --cap-add NET_ADMIN --cap-drop MKNOD --security-opt no-new-privileges --read-only --restart on-failure:3 --ulimit nofile=100:200 --sysctl net.core.somaxconn=99 --add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search example.test --dns-option ndots:2 --init --shm-size 8m --stop-signal USR1 --stop-timeout 3 --group-add 7 --device /dev/null:/dev/mynull:r --oom-score-adj 100 --log-driver none busybox -c 'echo hi' >/dev/null; docker inspect $N`,
        json: true,
        ignore: ['Mounts', 'HostConfig.Binds', masked],
      },
      {
        run: `docker inspect --format '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Mode}} {{.RW}} {{.Propagation}} {{.Driver}}{{println}}{{end}}' $N`,
        sorted: true,
      },
    ],
  },
  {
    name: 'inspect: -s, --type, several and none',
    steps: [
      'docker create --name $N busybox >/dev/null; docker inspect -s --format "{{.SizeRw}}" $N',
      'docker inspect --type container nosuchthing',
      {
        run: 'docker inspect --type image nosuchthing',
        differs: {
          reason: '20.10 said it twice',
          code: 1,
          stdout: /^\[\]\n$/,
          stderr: /^Error response from daemon: no such image: nosuchthing:latest\n$/,
        },
      },
      'docker inspect nosuchthing',
      'docker container inspect nosuchthing',
      "docker inspect --format '{{.Name}}' $N nosuchthing",
      "docker inspect --format '{{.NoSuchField}}' $N",
      "docker inspect --format '{{.Bad' $N",
    ],
  },
  {
    name: 'ps: columns',
    steps: [
      {
        run: 'docker run -d --name $N -p 127.0.0.1:18181:80 -l a=b busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker ps --filter name=$N',
      'docker ps --no-trunc --filter name=$N',
      'docker ps -q --filter name=$N',
      'docker ps -aq --no-trunc --filter name=$N',
      "docker ps --filter name=$N --format '{{.Names}}|{{.Image}}|{{.Command}}|{{.Ports}}|{{.Labels}}|{{.State}}|{{.Networks}}|{{.LocalVolumes}}|{{.Mounts}}|{{.RunningFor}}'",
      "docker ps --filter name=$N --format 'table {{.Names}}\\t{{.Status}}'",
      { run: "docker ps --filter name=$N --format '{{json .}}'", json: true, ignore: ['RunningFor'] },
    ],
  },
  {
    name: 'ps: filters',
    steps: [
      {
        run: 'docker run -d --name $N-up -l tier=web busybox sleep 300 >/dev/null; docker create --name $N-new -l tier=db busybox >/dev/null; docker run --name $N-five busybox sh -c "exit 5"; docker run --name $N-zero -v $N-vol:/v busybox true',
        setup: true,
      },
      ...[
        'status=running',
        'status=exited',
        'status=created',
        'exited=5',
        'exited=0',
        'label=tier',
        'label=tier=db',
        'ancestor=busybox',
        'volume=$N-vol',
        'network=bridge',
        'is-task=false',
      ].map(filter => ({
        run: `docker ps -a --filter name=$N --filter ${filter} --format '{{.Names}}'`,
        sorted: true,
      })),
      "docker ps -a --filter name=$N --filter before=$N-new --format '{{.Names}}'",
      "docker ps -a --filter name=$N --filter since=$N-new --format '{{.Names}}'",
      'docker ps --filter nosuchfilter=x',
      'docker ps --filter status=bogus',
      'docker ps --filter exited=x',
      {
        run: 'docker ps --filter before=nosuchcontainer',
        differs: {
          reason: '20.10 left the colon out, here and nowhere else',
          code: 1,
          stderr: /^Error response from daemon: no such container: nosuchcontainer\n$/,
        },
      },
    ],
  },
  {
    name: 'ps: status texts',
    steps: [
      'docker create --name $N busybox false >/dev/null; docker ps -a --filter name=$N --format "{{.Status}}|{{.State}}"',
      'docker start -a $N; docker ps -a --filter name=$N --format "{{.Status}}|{{.State}}"',
      'docker ps --filter name=$N -q',
    ],
  },
  {
    name: 'ps: -s shows sizes',
    steps: [
      "docker run --name $N busybox sh -c 'head -c 5000 /dev/zero > /f'; docker ps -as --filter name=$N --format '{{.Size}}' | cut -d' ' -f1",
    ],
  },
  {
    name: 'top: processes',
    steps: [
      running,
      'docker top $N -o comm',
      'docker top $N -o args,comm',
      'docker top $N | head -n 1',
      'docker top nosuchcontainer',
      'docker create --name $N-2 busybox >/dev/null; docker top $N-2',
      'docker top $N --nosuch',
    ],
  },
  {
    name: 'port: mappings',
    steps: [
      {
        run: 'docker run -d --name $N -p 127.0.0.1:18201:80 -p 127.0.0.1:18202:53/udp busybox sleep 300 >/dev/null',
        setup: true,
      },
      { run: 'docker port $N', sorted: true },
      'docker port $N 80',
      'docker port $N 53/udp',
      'docker port $N 81',
      'docker port nosuchcontainer',
      'docker port $N bad/x',
    ],
  },
  {
    name: 'diff: added, changed and deleted',
    steps: [
      {
        run: "docker run --name $N busybox sh -c 'echo x > /new; mkdir /dir; echo y > /dir/f; rm /etc/group; echo z >> /etc/passwd; rm -r /var/www; touch /tmp/t' && docker diff $N",
        sorted: true,
      },
      'docker create --name $N-2 busybox >/dev/null; docker diff $N-2',
      'docker diff nosuchcontainer',
    ],
  },
  {
    name: 'stats: one sample',
    steps: [
      { run: 'docker run -d --name $N --memory 64m busybox sleep 300 >/dev/null', setup: true },
      {
        run: "docker stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' $N",
        replace: [[/ [\d.]+[KM]?i?B \//, ' <size> /']],
      },
      'docker stats --no-stream nosuchcontainer',
      {
        run: 'curl -s --unix-socket $SOCK "http://d/v1.41/containers/$N/stats?stream=false&one-shot=true" | grep -oE \'"(cpu_stats|precpu_stats|memory_stats|pids_stats|blkio_stats|networks|name|id|read|preread|num_procs|storage_stats)":\'',
        sorted: true,
      },
    ],
  },
  {
    name: 'events: the life of a container',
    steps: [
      { run: 'docker run --name $N busybox true; docker rm $N >/dev/null; sleep 1.2', setup: true },
      "docker events --since 5m --until $(date +%s.%N) --filter container=$N --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}'",
      "docker events --since 5m --until $(date +%s.%N) --filter container=$N --filter event=die --filter event=create --format '{{.Action}}'",
      "docker events --since 5m --until $(date +%s.%N) --filter container=$N --filter type=network --format '{{.Action}}'",
      {
        run: "docker events --since 5m --until $(date +%s.%N) --filter container=$N --filter event=die --format '{{json .}}'",
        json: true,
        ignore: ['execDuration'],
      },
    ],
  },
  {
    name: 'events: exec, kill, pause, rename',
    steps: [
      {
        run: 'docker run -d --name $N busybox sleep 300 >/dev/null; docker exec $N true; docker pause $N >/dev/null; docker unpause $N >/dev/null; docker rename $N $N-new; docker kill $N-new >/dev/null; docker wait $N-new >/dev/null; sleep 0.3; docker rm $N-new >/dev/null',
        setup: true,
      },
      "docker events --since 5m --until $(date +%s.%N) --filter container=$N --filter container=$N-new --format '{{.Action}} {{.Actor.Attributes.oldName}} {{.Actor.Attributes.signal}}' | grep -v '^exec_[sd]' | sed 's/ *$//'",
    ],
  },
  {
    name: 'events: networks and volumes',
    steps: [
      {
        run: 'docker network create $N >/dev/null; docker volume create $N >/dev/null; docker create --name $N busybox >/dev/null; docker network connect $N $N; docker network disconnect $N $N; docker network rm $N >/dev/null; docker volume rm $N >/dev/null',
        setup: true,
      },
      "docker events --since 5m --until $(date +%s.%N) --filter network=$N --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'",
      "docker events --since 5m --until $(date +%s.%N) --filter volume=$N --format '{{.Type}} {{.Action}} {{.Actor.Attributes.driver}}'",
    ],
  },
  {
    name: 'events: images',
    steps: [
      { run: 'docker tag busybox $N:1; docker rmi $N:1 >/dev/null', setup: true },
      "docker events --since 5m --until $(date +%s.%N) --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}}' | grep $N",
      'docker events --since nonsense',
      {
        run: 'docker events --filter nosuch=x --since 5m --until $(date +%s.%N)',
        compare: ['stderr', 'code'],
      },
    ],
  },
];
