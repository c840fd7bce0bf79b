import type { Scenario } from '../scenario.ts';

const untilExited =
  'until [ "$(docker inspect --format "{{.State.Status}}" $N)" = exited ]; do sleep 0.1; done';
const untilHealth = (status: string) =>
  `until [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = ${status} ]; do sleep 0.1; done`;
const api = (healthcheck: object) =>
  `api POST "/v1.41/containers/create?name=$N" -H 'Content-Type: application/json' -d '${JSON.stringify({
    Image: 'busybox',
    Cmd: ['sleep', '300'],
    Healthcheck: healthcheck,
  })}'`;

const wholeLife =
  "docker events --since 1 --until $(($(date +%s)+1)) --filter type=container --filter container=$N --format '{{.Type}} {{.Action}} {{.Actor.Attributes.kind}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.oldName}} {{.Actor.Attributes.image}}'";

export const restartScenarios: readonly Scenario[] = [
  {
    name: 'while it waits for its restart',
    steps: [
      {
        // The eighth restart is 12.8 seconds away, so that even a slow machine does all of this before it.
        run: 'docker run -d --name $N --restart always busybox false >/dev/null; until [ "$(docker inspect --format "{{.RestartCount}} {{.State.Status}}" $N)" = "8 restarting" ]; do sleep 0.2; done',
        setup: true,
      },
      'docker pause $N',
      'docker exec $N true',
      'docker rm $N',
      'docker unpause $N',
      'api POST /v1.41/containers/$N/start',
      'docker stop $N',
      "docker inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.ExitCode}} {{.RestartCount}}' $N",
    ],
  },
  {
    name: 'any signal ends the policy where no stop signal is set',
    steps: [
      {
        run: 'docker run -d --name $N --restart always busybox sh -c \'trap "exit 3" USR1; echo ready; while :; do sleep 0.1; done\' >/dev/null; until docker logs $N | grep -q ready; do sleep 0.1; done; docker kill -s USR1 $N',
        setup: true,
      },
      `${untilExited}; docker inspect --format '{{.State.ExitCode}} {{.RestartCount}}' $N`,
    ],
  },
  {
    name: 'a signal that is not the stop signal leaves the policy alone',
    steps: [
      {
        run: 'docker run -d --name $N --stop-signal TERM --restart always busybox sh -c \'trap "exit 3" USR1; echo ready; while :; do sleep 0.1; done\' >/dev/null; until docker logs $N | grep -q ready; do sleep 0.1; done; docker kill -s USR1 $N',
        setup: true,
      },
      'until [ "$(docker inspect --format "{{.RestartCount}}" $N)" = 1 ]; do sleep 0.1; done',
    ],
  },
  {
    name: 'update gives a running container a policy',
    steps: [
      {
        run: 'docker run -d --name $N busybox sh -c "sleep 2; exit 1" >/dev/null; docker update --restart on-failure:1 $N',
        setup: true,
      },
      `${untilExited}; docker inspect --format '{{.RestartCount}} {{.State.ExitCode}}' $N`,
      'docker update --restart always:3 $N',
    ],
  },
  {
    name: 'what a health check says is cut after 4096 bytes',
    steps: [
      {
        run: 'docker run -d --name $N --health-cmd "head -c 6000 /dev/zero | tr \'\\\\0\' x" --health-interval 300ms busybox sleep 300 >/dev/null; until [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = healthy ]; do sleep 0.1; done',
        setup: true,
      },
      "docker inspect --format '{{len (index .State.Health.Log 0).Output}}' $N",
      "docker inspect --format '{{(index .State.Health.Log 0).Output}}' $N | tail -c 10",
    ],
  },
  {
    name: 'the results of health checks outlive a restart',
    steps: [
      {
        run: 'docker run -d --name $N --health-cmd "echo no; exit 1" --health-interval 1s --health-retries 1 busybox sleep 300 >/dev/null; until [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = unhealthy ]; do sleep 0.1; done',
        setup: true,
      },
      "docker restart -t 0 $N; docker inspect --format '{{.State.Health.Status}} {{.State.Health.FailingStreak}} {{(index .State.Health.Log 0).Output}}' $N",
    ],
  },
  {
    name: 'a health check whose program is not there',
    steps: [
      api({ Test: ['CMD', '/nosuch', 'x'], Interval: 3e8, Retries: 1 }),
      'docker start $N; until [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = unhealthy ]; do sleep 0.1; done',
      "docker inspect --format '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' $N",
    ],
  },
  {
    name: 'a health check of an unknown kind is none',
    steps: [
      api({ Test: ['BOGUS', 'true'], Interval: 3e8 }),
      "docker start $N; docker inspect --format '{{json .State.Health}}' $N",
    ],
  },
  {
    name: 'a health check in the shell form with arguments',
    steps: [
      api({ Test: ['CMD-SHELL', 'echo $0 $1', 'a', 'b'], Interval: 3e8 }),
      'docker start $N; until [ "$(docker inspect --format "{{.State.Health.Status}}" $N)" = healthy ]; do sleep 0.1; done',
      "docker inspect --format '{{(index .State.Health.Log 0).Output}}' $N",
    ],
  },
  {
    name: 'health checks with values that cannot be',
    steps: [
      api({ Interval: -1 }),
      api({ Timeout: 10 }),
      api({ StartPeriod: 10 }),
      api({ Retries: -1 }),
      api({ Test: ['NONE'], Retries: -1, Timeout: 3 }),
      'docker create --health-cmd x --health-interval -1s busybox',
      'docker create --health-cmd x --health-retries -1 busybox',
      'docker create --health-cmd x --health-timeout abc busybox',
    ],
  },
  {
    name: 'events of a whole life',
    steps: [
      'docker create --name $N --label kind=test busybox sleep 300 >/dev/null; docker start $N >/dev/null; docker exec $N true; docker pause $N >/dev/null; docker unpause $N >/dev/null; docker rename $N $N-2; docker cp /etc/hostname $N-2:/tmp/; docker cp $N-2:/etc/passwd .; docker update --cpu-shares 100 $N-2 >/dev/null; docker top $N-2 >/dev/null; docker export $N-2 > x.tar; docker kill -s USR1 $N-2 >/dev/null; docker restart -t 0 $N-2 >/dev/null; docker stop -t 0 $N-2 >/dev/null; docker rm $N-2 >/dev/null',
      // dockerd tells who waits for an end before it publishes it: `stop` may come before `die`, `top` before `exec_die`.
      `${wholeLife} | grep -v die`,
      { run: `${wholeLife} | grep die`, sorted: true },
    ],
  },
  {
    name: 'events of restarts by policy',
    steps: [
      {
        run: `docker run -d --name $N --restart on-failure:2 busybox false >/dev/null; until [ "$(docker inspect --format "{{.RestartCount}} {{.State.Status}}" $N)" = "2 exited" ]; do sleep 0.2; done`,
        setup: true,
      },
      `docker events --since 1 --until $(($(date +%s)+1)) --filter container=$N --format '{{.Type}} {{.Action}} {{.Actor.Attributes.exitCode}}' | grep container`,
    ],
  },
  {
    name: 'events of health and of a restart',
    steps: [
      {
        run: `docker run -d --name $N --health-cmd 'test -e /well' --health-interval 500ms --health-retries 2 --health-timeout 60s busybox sleep 300 >/dev/null; ${untilHealth('unhealthy')}; docker exec $N touch /well; ${untilHealth('healthy')}; docker restart -t 0 $N`,
        setup: true,
      },
      `docker events --since 1 --until $(($(date +%s)+1)) --filter container=$N --filter type=container --format '{{.Action}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.signal}}' | grep -v ^exec | head -n 10`,
    ],
  },
];
