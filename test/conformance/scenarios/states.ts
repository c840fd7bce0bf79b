import type { Scenario } from '../scenario.ts';

const status =
  "docker inspect --format '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.Dead}} {{.State.ExitCode}}' $N";
const running = { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true };
const paused = { run: `${running.run}; docker pause $N >/dev/null`, setup: true };
const askedOfOneThatDoesNotRun = [
  'docker kill $N',
  'docker stop $N',
  'docker pause $N',
  'docker unpause $N',
  'docker exec $N true',
  'docker attach $N',
  'docker top $N',
];
const until = (condition: string) => `for i in $(seq 600); do ${condition} && break; sleep 0.1; done`;

export const statesScenarios: readonly Scenario[] = [
  {
    name: 'states: everything asked of a created one',
    steps: [
      'docker create --name $N busybox sleep 300 >/dev/null',
      ...askedOfOneThatDoesNotRun,
      'docker rename $N $N-new; docker rename $N-new $N',
      'docker wait $N',
      status,
      'docker restart -t 0 $N',
      status,
    ],
  },
  {
    name: 'states: everything asked of a paused one',
    steps: [
      paused,
      status,
      'docker start $N',
      'docker pause $N',
      'docker exec $N true',
      'docker attach $N',
      'docker rm $N',
      'docker rename $N $N-new; docker rename $N-new $N',
      'docker update --cpu-shares 512 $N',
      'docker top $N -o args',
      'docker kill -s USR1 $N',
      status,
      'docker restart -t 0 $N',
      status,
    ],
  },
  {
    name: 'states: a paused one is killed',
    steps: [paused, 'docker kill $N', status, 'docker start $N', status],
  },
  {
    name: 'states: a paused one is stopped',
    steps: [paused, 'docker stop -t 1 $N', status],
  },
  {
    name: 'states: a paused one is removed by force',
    steps: [paused, 'docker rm -f $N', 'docker inspect $N'],
  },
  {
    name: 'states: everything asked of an exited one',
    steps: [
      { run: 'docker run --name $N busybox sh -c "exit 3"; true', setup: true },
      status,
      ...askedOfOneThatDoesNotRun,
      'docker wait $N',
      'docker start $N; docker wait $N',
      'docker restart $N; docker wait $N',
    ],
  },
  {
    name: 'states: nothing is there',
    steps: [
      ...['kill', 'stop', 'pause', 'unpause', 'restart', 'start', 'wait', 'rm', 'top', 'port', 'attach'].map(
        command =>
          `docker ${command} nosuch1 ${['top', 'port', 'attach'].includes(command) ? '' : 'nosuch2'}`,
      ),
      'docker exec nosuch1 true',
      'docker rename nosuch1 nosuch2',
      'docker update --cpu-shares 3 nosuch1',
    ],
  },
  {
    name: 'states: statuses of the API',
    steps: [
      running,
      ...[
        'start',
        'unpause',
        'rename?name=',
        'rename?name=$N',
        'kill?signal=NOSUCH',
        'kill?signal=0',
        'stop?t=x',
      ].map(request => `api POST "/v1.41/containers/$N/${request}"`),
      'api DELETE /v1.41/containers/$N',
      'api POST /v1.41/containers/$N/stop?t=0; api POST /v1.41/containers/$N/stop',
      ...['kill', 'pause', 'unpause', 'resize?h=1&w=1'].map(
        request => `api POST "/v1.41/containers/$N/${request}"`,
      ),
      'api POST /v1.41/containers/$N/start; api POST /v1.41/containers/$N/restart?t=0',
      'api DELETE /v1.41/containers/$N?force=1; api DELETE /v1.41/containers/$N',
    ],
  },
  {
    name: 'states: a new name while it runs',
    steps: [
      running,
      'docker rename $N $N-new; docker exec $N-new echo here; docker exec $N true',
      "docker ps --filter name=$N --format '{{.Names}}'",
      'docker stop -t 0 $N-new; docker start $N-new; docker create --name $N busybox true | wc -c',
      'docker rename $N-new $N',
    ],
  },
  {
    name: 'stop: signals and timeouts',
    steps: [
      running,
      'docker stop -t nonsense $N',
      '(sleep 1; docker kill $N >/dev/null) & docker stop -t -1 $N; docker inspect --format "{{.State.ExitCode}}" $N',
      'docker start $N; docker restart --time 0 $N; docker stop --time 0 $N; docker inspect --format "{{.State.ExitCode}}" $N',
      `docker run -d --name $N-2 --stop-signal 12 busybox sh -c 'trap "exit 12" USR2; echo ready; while :; do sleep 0.1; done' >/dev/null; ${until('docker logs $N-2 | grep -q ready')}; docker stop $N-2; docker inspect --format "{{.State.ExitCode}} {{.Config.StopSignal}}" $N-2`,
      `docker run -d --name $N-3 --stop-signal SIGQUIT --stop-timeout 0 busybox sleep 300 >/dev/null; docker stop $N-3; docker inspect --format "{{.State.ExitCode}} {{.Config.StopTimeout}}" $N-3`,
    ],
  },
  {
    name: 'stop: one that obeys is 143',
    steps: [
      `docker run -d --name $N --init busybox sleep 300 >/dev/null; ${until('docker top $N | grep -q "sleep 300"')}; docker stop $N; ${status}`,
      `docker start $N >/dev/null; ${until('docker top $N | grep -q "sleep 300"')}; docker kill -s TERM $N; docker wait $N; ${status}`,
    ],
  },
  {
    name: 'wait: several conditions at once',
    steps: [
      running,
      'for c in not-running next-exit removed; do (echo $c $(api POST "/v1.41/containers/$N/wait?condition=$c" -D head-$c) > w-$c) & done; ' +
        `${until('[ -s head-not-running -a -s head-next-exit -a -s head-removed ]')}; ` +
        `docker kill $N >/dev/null; ${until('[ -s w-not-running -a -s w-next-exit ]')}; ` +
        'docker start $N >/dev/null; docker kill $N >/dev/null; docker rm $N >/dev/null; wait; cat w-*',
    ],
  },
  {
    name: 'wait: one that is removed by itself',
    steps: [
      `docker create --rm --name $N busybox sh -c 'exit 9' >/dev/null; api POST "/v1.41/containers/$N/wait?condition=removed" -D head > answer & ${until('[ -s head ]')}; docker start $N >/dev/null; wait; cat answer; docker inspect $N`,
    ],
  },
  {
    name: 'rm: twice at once, and with everything else at once',
    steps: [
      running,
      '(docker rm -f $N >/dev/null 2>&1 & docker rm -f $N >/dev/null 2>&1 & docker rm -f $N >/dev/null 2>&1 & wait); docker inspect $N',
      'docker run -d --name $N busybox sleep 300 >/dev/null; (for c in "stop -t 0" start kill "restart -t 0" pause unpause start "stop -t 0" kill; do docker $c $N >/dev/null 2>&1 & done; wait); docker rm -f $N; docker inspect $N',
    ],
  },
  {
    name: 'start: many times at once is once',
    steps: [
      "docker create --name $N busybox sh -c 'echo started; sleep 300' >/dev/null",
      `(for i in 1 2 3 4 5; do docker start $N & done; wait); ${until('docker logs $N | grep -q started')}; docker logs $N`,
      '(for i in 1 2 3 4; do docker stop -t 0 $N & done; wait)',
      status,
    ],
  },
  {
    name: 'exit: codes in State, events and wait',
    steps: [
      { run: 'date +%s > since', setup: true },
      'docker run --name $N busybox sh -c "exit 42"; docker wait $N',
      'docker run --name $N-2 busybox sh -c "kill -9 1; exit 3"; docker run --name $N-3 --init busybox sh -c \'kill -KILL $$\'; docker wait $N-3',
      'docker run --name $N-4 busybox nosuchprogram; docker run --name $N-5 busybox /etc/passwd',
      "for n in $N $N-2 $N-3 $N-4 $N-5; do docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}' $n; done",
      "sleep 1; docker events --since $(cat since) --until $(date +%s) --filter event=die --filter container=$N --format '{{.Action}} {{.Actor.Attributes.exitCode}}'",
    ],
  },
  {
    name: 'exit: killed for memory',
    steps: [
      "docker run --name $N --memory 8m --memory-swap 8m busybox sh -c 'x=a; while :; do x=$x$x; done'; echo code $?",
      {
        run: "docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Error}}' $N; docker start -a $N; echo code $?",
        differs: {
          reason: 'whether the shim hears of it in time is chance',
          code: 0,
          stdout: /^true 137 \ncode 137\n$/,
        },
      },
    ],
  },
  {
    name: 'container prune: filters, and what runs stays',
    alone: true,
    steps: [
      'docker container prune -f >/dev/null; docker run -d --name $N -l $N busybox sleep 300 >/dev/null; docker create --name $N-a -l $N -l keep=1 busybox >/dev/null; docker create --name $N-b -l $N -l drop=1 busybox >/dev/null; docker create --name $N-c -l $N busybox >/dev/null',
      'docker container prune -f --filter label=nosuch',
      'docker container prune -f --filter until=nonsense',
      'docker container prune -f --filter bogus=1',
      'docker container prune -f --filter label=$N --filter until=100h',
      'docker container prune -f --filter label=$N --filter label=drop',
      "docker ps -a --filter name=$N --format '{{.Names}}'",
      // dockerd counts whole seconds.
      'sleep 1.1; docker container prune -f --filter label=$N --filter label!=keep=1 | wc -l; docker container prune -f --filter label=$N --filter until=0s | wc -l',
      "docker pause $N >/dev/null; docker container prune -f --filter label=$N; docker ps -a --filter name=$N --format '{{.Names}}'",
      'echo n | docker container prune',
    ],
  },
];
