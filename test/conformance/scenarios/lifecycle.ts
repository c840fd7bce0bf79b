import type { Scenario } from '../scenario.ts';

const status =
  "docker inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.Dead}} {{.State.ExitCode}} {{.State.OOMKilled}}' $N";
const running = { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true };
const obedient = {
  run: 'docker run -d --name $N busybox sh -c \'trap "exit 0" TERM; while :; do sleep 0.1; done\' >/dev/null; sleep 0.3',
  setup: true,
};

export const lifecycleScenarios: readonly Scenario[] = [
  {
    name: 'states: created, running, paused, exited',
    steps: [
      'docker create --name $N busybox sleep 300',
      status,
      'docker start $N',
      status,
      'docker pause $N',
      status,
      'docker unpause $N',
      status,
      'docker kill $N',
      status,
    ],
  },
  {
    name: 'start: of what runs already, and of nothing',
    steps: [
      running,
      'docker start $N',
      'docker start nosuchcontainer',
      "docker start $N nosuchcontainer; docker inspect --format '{{.State.Status}}' $N",
    ],
  },
  {
    name: 'start: -a shows output and exit code',
    steps: [
      "docker create --name $N busybox sh -c 'echo out; echo err >&2; exit 8' >/dev/null",
      'docker start -a $N',
      'docker start -a $N',
    ],
  },
  {
    name: 'start: -i gives stdin',
    steps: [
      'docker create -i --name $N busybox cat >/dev/null',
      'echo typed | docker start -ai $N',
      'echo again | docker start -i $N',
    ],
  },
  {
    name: 'stop: by SIGTERM, then SIGKILL',
    steps: [
      obedient,
      'docker stop $N',
      status,
      'docker stop $N',
      'docker start $N',
      status,
      'docker run -d --name $N-deaf busybox sleep 300 >/dev/null; docker stop -t 1 $N-deaf; docker inspect --format "{{.State.ExitCode}}" $N-deaf',
      'docker stop nosuchcontainer',
    ],
  },
  {
    name: 'kill: signals by name and number',
    steps: [
      {
        run: 'docker run -d --name $N busybox sh -c \'trap "echo usr1" USR1; trap "echo hup; exit 3" HUP; while :; do sleep 0.1; done\' >/dev/null; sleep 0.5',
        setup: true,
      },
      'docker kill -s USR1 $N; sleep 0.5',
      'docker kill -s SIGHUP $N; docker wait $N',
      'docker logs $N',
      status,
      'docker kill $N',
      'docker kill -s NOSUCH $N',
      'docker kill -s 99 $N',
      'docker kill nosuchcontainer',
      'docker start $N >/dev/null; docker kill -s 9 $N; docker wait $N',
    ],
  },
  {
    name: 'restart: a running and a stopped one',
    steps: [
      running,
      "docker restart -t 0 $N; docker inspect --format '{{.State.Running}} {{.RestartCount}}' $N",
      "docker kill $N >/dev/null; docker restart $N; docker inspect --format '{{.State.Running}}' $N",
      'docker restart nosuchcontainer',
    ],
  },
  {
    name: 'pause: twice, and of what does not run',
    steps: [
      running,
      'docker unpause $N',
      'docker pause $N',
      'docker pause $N',
      "docker ps --filter name=$N --format '{{.Status}}'",
      'docker stop -t 1 $N',
      'docker pause $N',
      'docker unpause $N',
      'docker pause nosuchcontainer',
    ],
  },
  {
    name: 'rename: and its conflicts',
    steps: [
      'docker create --name $N busybox >/dev/null; docker create --name $N-2 busybox >/dev/null',
      'docker rename $N $N-2',
      "docker rename $N $N-3; docker inspect --format '{{.Name}}' $N-3",
      'docker inspect $N',
      'docker rename $N-3 $N-3',
      'docker rename nosuchcontainer x1',
      "docker rename $N-3 'bad name'",
      "docker rename $N-3 ''",
    ],
  },
  {
    name: 'wait: codes of several',
    steps: [
      "docker run -d --name $N busybox sh -c 'sleep 1; exit 4' >/dev/null; docker run -d --name $N-2 busybox sh -c 'exit 5' >/dev/null; docker wait $N $N-2",
      'docker wait $N',
      'docker wait nosuchcontainer',
      'docker create --name $N-3 busybox true >/dev/null; docker wait $N-3',
    ],
  },
  {
    name: 'wait: conditions through the API',
    steps: [
      'docker create --name $N busybox sh -c "sleep 1; exit 4" >/dev/null',
      '(sleep 0.3; docker start $N >/dev/null) & api POST "/v1.41/containers/$N/wait?condition=next-exit"',
      '(sleep 0.5; docker rm $N >/dev/null) & api POST "/v1.41/containers/$N/wait?condition=removed"',
      'api POST "/v1.41/containers/$N/wait?condition=nonsense"',
    ],
  },
  {
    name: 'rm: a running container needs force',
    steps: [
      running,
      'docker rm $N',
      'docker rm -f $N',
      'docker inspect $N',
      'docker rm $N',
      'docker rm -f $N',
    ],
  },
  {
    name: 'rm: a paused container',
    steps: [running, 'docker pause $N', 'docker rm $N', 'docker rm -f $N'],
  },
  {
    name: 'rm: several, some of which are not there',
    steps: [
      'docker create --name $N busybox >/dev/null; docker create --name $N-2 busybox >/dev/null',
      'docker rm $N nosuchcontainer $N-2',
    ],
  },
  {
    name: 'rm: -v takes anonymous volumes, not named ones',
    steps: [
      'docker create --name $N -v /anonymous -v $N-named:/named busybox >/dev/null',
      "docker inspect --format '{{range .Mounts}}{{if ne .Name \"'$N'-named\"}}{{.Name}}{{end}}{{end}}' $N > v; wc -c < v",
      'docker rm -v $N; docker volume inspect $(cat v) >/dev/null; docker volume inspect $N-named --format "{{.Name}}"',
      'docker create --name $N -v /anonymous busybox >/dev/null; docker inspect --format "{{range .Mounts}}{{.Name}}{{end}}" $N > v; docker rm $N; docker volume inspect --format kept $(cat v); docker volume rm $(cat v) >/dev/null',
    ],
  },
  {
    name: 'rm: by the beginning of an id',
    steps: [
      'docker create --name $N busybox > id; docker rm $(cut -c1-10 id) >/dev/null; docker inspect $N',
      'docker inspect 00000000',
    ],
  },
  {
    name: 'attach: to a running container',
    steps: [
      {
        run: "docker run -d -i --name $N busybox sh -c 'read line; echo got $line; sleep 1; exit 2' >/dev/null",
        setup: true,
      },
      // With stdin at its end dockerd drops the output of a container made with -i but not attached at first.
      '(echo typed; sleep 3) | docker attach $N',
      'docker attach $N',
      'docker attach nosuchcontainer',
    ],
  },
  {
    name: 'attach: output from now on only',
    steps: [
      {
        run: "docker run -d --name $N busybox sh -c 'echo before; sleep 5; echo after; exit 1' >/dev/null; until docker logs $N | grep -q before; do sleep 0.1; done",
        setup: true,
      },
      'docker attach --no-stdin $N',
    ],
  },
  {
    name: 'attach: a paused container',
    steps: [running, 'docker pause $N >/dev/null', 'docker attach $N'],
  },
  {
    name: 'attach: the detach keys',
    steps: [
      { run: 'docker run -dit --name $N busybox sh >/dev/null', setup: true },
      `mkfifo in; touch out; timeout 80 script -qec "docker attach $N" /dev/null < in > out & exec 3> in; printf 'echo hi\\r' >&3; for i in $(seq 600); do tr -d '\\r' < out | grep -q '^hi' && break; sleep 0.1; done; printf '\\020\\021' >&3; wait; tr -d '\\r' < out | grep -c '^hi'; docker inspect --format '{{.State.Running}}' $N`,
    ],
  },
  {
    name: 'restart policy: on-failure counts',
    steps: [
      {
        run: 'docker run -d --name $N --restart on-failure:2 busybox false >/dev/null; for i in $(seq 600); do [ "$(docker inspect --format "{{.State.Status}}" $N)" = exited ] && break; sleep 0.2; done',
        setup: true,
      },
      "docker inspect --format '{{.RestartCount}} {{.State.ExitCode}} {{json .HostConfig.RestartPolicy}}' $N",
    ],
  },
  {
    name: 'restart policy: always, until it is stopped',
    steps: [
      "docker run -d --name $N --restart always busybox sh -c 'sleep 0.3; exit 1' >/dev/null; until docker inspect --format '{{if gt .RestartCount 0}}restarted{{end}}' $N | grep restarted; do sleep 0.2; done",
      'docker stop -t 1 $N; sleep 1.5; docker inspect --format "{{.State.Status}}" $N',
      'docker create --restart nosuchpolicy busybox',
      'docker create --restart always:3 busybox',
      'docker create --restart on-failure:-1 busybox',
    ],
  },
  {
    name: 'update: resources and policy',
    steps: [
      running,
      'docker update --memory 64m --memory-swap 128m --cpu-shares 256 --restart unless-stopped $N',
      "docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}} {{.HostConfig.RestartPolicy.Name}}' $N",
      'docker update --memory 1k $N',
      'docker update nosuchcontainer --cpu-shares 2',
      'docker update --restart bogus $N',
    ],
  },
  {
    name: 'update: no policy for what is removed at its end',
    steps: [
      { run: 'docker run -d --rm --name $N busybox sleep 300 >/dev/null', setup: true },
      'docker update --restart always $N',
      'docker update --cpu-shares 100 $N',
    ],
  },
  {
    name: 'health: after the end',
    steps: [
      {
        run: 'docker run -d --name $N --health-cmd true --health-interval 300ms busybox sleep 300 >/dev/null; for i in $(seq 600); do [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = healthy ] && break; sleep 0.2; done',
        setup: true,
      },
      "docker kill $N >/dev/null; docker inspect --format '{{.State.Health.Status}}' $N; docker ps -a --filter name=$N --format '{{.Status}}'",
      "docker start $N >/dev/null; docker inspect --format '{{.State.Health.FailingStreak}}' $N",
    ],
  },
  {
    name: 'health: a check that passes',
    steps: [
      {
        run: "docker run -d --name $N --health-cmd 'echo fine' --health-interval 1s --health-timeout 3s --health-retries 2 --health-start-period 1s busybox sleep 300 >/dev/null",
        setup: true,
      },
      "docker inspect --format '{{.State.Health.Status}} {{json .Config.Healthcheck}}' $N",
      'for i in $(seq 600); do [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = healthy ] && break; sleep 0.2; done; docker ps --filter name=$N --filter health=healthy --format "{{.Status}}"',
      "docker inspect --format '{{.State.Health.FailingStreak}} {{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' $N",
    ],
  },
  {
    name: 'health: a check that fails',
    steps: [
      {
        run: "docker run -d --name $N --health-cmd 'echo broken; exit 1' --health-interval 500ms --health-retries 2 busybox sleep 300 >/dev/null; for i in $(seq 600); do [ \"$(docker inspect --format '{{.State.Health.Status}}' $N)\" = unhealthy ] && break; sleep 0.2; done",
        setup: true,
      },
      "docker ps --filter name=$N --format '{{.Status}}'",
      "docker inspect --format '{{.State.Health.Status}} {{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' $N",
      'docker create --health-interval 1us --health-cmd x busybox',
      'docker create --no-healthcheck --health-cmd x busybox',
      "docker run -d --name $N-none --no-healthcheck busybox sleep 60 >/dev/null; docker inspect --format '{{json .Config.Healthcheck}} {{json .State.Health}}' $N-none",
    ],
  },
];
