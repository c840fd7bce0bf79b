import type { Difference, Scenario } from '../scenario.ts';

const numbered =
  "docker run --name $N busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.3; echo error >&2' >/dev/null 2>&1";

const noJsonFile: Difference = {
  reason: 'Gantry has the drivers local and none, and refuses the others by name',
  stderr: /log driver "json-file" is not supported yet: use one of local, none/,
};

export const logsScenarios: readonly Scenario[] = [
  {
    name: 'logs: stdout and stderr apart',
    steps: [
      { run: numbered, setup: true },
      'docker logs $N',
      'docker logs $N 2>/dev/null',
      'docker logs $N 2>&1 >/dev/null',
    ],
  },
  {
    name: 'logs: --tail',
    steps: [
      { run: 'docker run --name $N busybox seq 1 5 >/dev/null', setup: true },
      'docker logs --tail 2 $N',
      'docker logs -n 0 $N',
      'docker logs --tail all $N',
      'docker logs --tail 100 $N',
      'docker logs --tail bogus $N',
      'docker logs --tail -1 $N',
    ],
  },
  {
    name: 'logs: -t stamps every line',
    steps: [
      { run: numbered, setup: true },
      'docker logs -t $N 2>/dev/null',
      'docker logs -t --tail 2 $N 2>/dev/null',
    ],
  },
  {
    name: 'logs: --since and --until',
    steps: [
      {
        run: "docker run --name $N busybox sh -c 'echo early; sleep 2; echo late; sleep 1' >/dev/null",
        setup: true,
      },
      'docker logs --since 10m $N',
      'docker logs --since "$(docker inspect --format \'{{.State.FinishedAt}}\' $N)" $N',
      "mid=$(docker logs -t $N | tail -n 1 | cut -d' ' -f1); docker logs --since $mid $N; echo --; docker logs --until $mid $N | head -n 1",
      'docker logs --since 2001-01-01 --until 2001-01-02 $N',
      'docker logs --since nonsense $N',
    ],
  },
  {
    name: 'logs: -f follows to the end',
    steps: [
      {
        run: "docker run -d --name $N busybox sh -c 'echo one; sleep 1; echo two; sleep 1; echo three' >/dev/null",
        setup: true,
      },
      'docker logs -f $N',
      'docker logs -f --tail 1 $N',
    ],
  },
  {
    name: 'logs: a line without an end, and long ones',
    steps: [
      { run: "docker run --name $N busybox sh -c 'printf no-newline' >/dev/null", setup: true },
      'docker logs $N | od -c',
      {
        run: 'docker run --name $N-2 busybox sh -c \'head -c 40000 /dev/zero | tr "\\000" x; echo; echo next\' >/dev/null',
        setup: true,
      },
      'docker logs $N-2 | wc -c; docker logs $N-2 | tail -n 1; docker logs -t $N-2 | wc -l',
      { run: "docker run --name $N-3 busybox sh -c 'echo; echo; echo after' >/dev/null", setup: true },
      'docker logs $N-3',
    ],
  },
  {
    name: 'logs: from a terminal',
    steps: [
      { run: "docker run -t --name $N busybox sh -c 'echo a; echo b >&2' >/dev/null", setup: true },
      'docker logs $N | od -c',
    ],
  },
  {
    name: 'logs: survive stop, start and restart',
    steps: [
      {
        run: "docker run --name $N busybox sh -c 'echo hello' >/dev/null; docker start -a $N >/dev/null",
        setup: true,
      },
      'docker logs $N',
      'docker logs --tail 1 $N',
    ],
  },
  {
    name: 'logs: of nothing',
    steps: ['docker logs nosuchcontainer', 'docker create --name $N busybox >/dev/null; docker logs $N'],
  },
  {
    name: 'logs: driver none keeps nothing',
    steps: [
      'docker run --name $N --log-driver none busybox echo seen',
      'docker logs $N',
      "docker inspect --format '{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}' $N",
    ],
  },
  {
    name: 'logs: drivers and their options',
    steps: [
      {
        run: 'docker run --name $N --log-driver json-file --log-opt max-size=10k --log-opt max-file=2 busybox echo kept; docker logs $N',
        differs: noJsonFile,
      },
      'docker create --log-driver nosuchdriver busybox',
      {
        run: 'docker run --rm --log-driver json-file --log-opt nosuchoption=1 busybox true',
        differs: noJsonFile,
      },
      {
        run: 'docker run --rm --log-driver json-file --log-opt max-size=bogus busybox true',
        differs: noJsonFile,
      },
    ],
  },
  {
    name: 'logs: options of the local driver',
    steps: [
      'docker run --rm --log-driver local --log-opt nosuch=1 busybox true',
      'docker run --rm --log-driver local --log-opt max-size=bogus busybox true',
      'docker run --name $N --log-driver local --log-opt max-size=1m --log-opt max-file=2 busybox echo kept; docker logs $N',
    ],
  },
  {
    name: 'logs: raw stream frames',
    steps: [
      {
        run: "docker run --name $N busybox sh -c 'echo out; sleep 0.2; echo err >&2' >/dev/null 2>&1",
        setup: true,
      },
      'curl -s --unix-socket $SOCK "http://d/v1.41/containers/$N/logs?stdout=1&stderr=1" | od -An -tx1 -c',
      {
        run: 'curl -s -o /dev/null -w \'%{http_code} %{content_type}\\n\' --unix-socket $SOCK "http://d/v1.41/containers/$N/logs?stdout=1"',
        differs: {
          reason: 'newer versions name the content type',
          stdout: /^200 (application\/vnd\.docker\.(raw|multiplexed)-stream)?\n$/,
        },
      },
      'api GET /v1.41/containers/$N/logs',
    ],
  },
];
