import type { Scenario } from '../scenario.ts';

const numbered =
  "docker run --name $N busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.3; echo error >&2' >/dev/null 2>&1";

const refusedAtCreation = [
  '--log-driver json-file --log-opt nosuchoption=1',
  '--log-driver json-file --log-opt mode=x',
  '--log-driver json-file --log-opt max-buffer-size=1m',
  '--log-driver json-file --log-opt mode=non-blocking --log-opt max-buffer-size=x',
  '--log-driver syslog --log-opt syslog-address=udp://127.0.0.1:1 --log-opt cache-disabled=maybe',
  '--log-driver syslog --log-opt nosuch=1',
  '--log-driver syslog --log-opt syslog-address=foo',
  '--log-driver syslog --log-opt syslog-address=unix:///nope',
  '--log-driver syslog --log-opt syslog-facility=foo',
  '--log-driver syslog --log-opt syslog-format=foo',
  '--log-driver journald --log-opt nosuch=1',
  '--log-driver fluentd --log-opt nosuch=1',
  '--log-driver fluentd --log-opt fluentd-address=foo://x',
  '--log-driver fluentd --log-opt fluentd-address=tcp://x:y',
  '--log-driver fluentd --log-opt fluentd-async=x',
  '--log-driver fluentd --log-opt fluentd-buffer-limit=x',
  '--log-driver fluentd --log-opt fluentd-retry-wait=x',
  '--log-driver fluentd --log-opt fluentd-max-retries=x',
  '--log-driver fluentd --log-opt fluentd-sub-second-precision=x',
  '--log-driver gelf',
  '--log-driver gelf --log-opt gelf-address=foo',
  '--log-driver gelf --log-opt gelf-address=unix:///x',
  '--log-driver gelf --log-opt gelf-address=udp://x',
  '--log-driver gelf --log-opt gelf-address=udp://127.0.0.1:5 --log-opt nosuch=1',
  '--log-driver gelf --log-opt gelf-address=tcp://127.0.0.1:5 --log-opt gelf-compression-type=gzip',
  '--log-driver gelf --log-opt gelf-address=udp://127.0.0.1:5 --log-opt gelf-compression-type=foo',
  '--log-driver gelf --log-opt gelf-address=udp://127.0.0.1:5 --log-opt gelf-compression-level=99',
  '--log-driver gelf --log-opt gelf-address=udp://127.0.0.1:5 --log-opt gelf-tcp-max-reconnect=1',
  '--log-driver gelf --log-opt gelf-address=tcp://127.0.0.1:5 --log-opt gelf-tcp-max-reconnect=-1',
  '--log-driver awslogs',
  '--log-driver awslogs --log-opt awslogs-group=g --log-opt nosuch=1',
  '--log-driver awslogs --log-opt awslogs-group=g --log-opt awslogs-create-group=x',
  '--log-driver awslogs --log-opt awslogs-group=g --log-opt awslogs-datetime-format=%Y --log-opt awslogs-multiline-pattern=x',
  '--log-driver awslogs --log-opt awslogs-group=g --log-opt awslogs-force-flush-interval-seconds=x',
  '--log-driver gcplogs --log-opt nosuch=1',
  '--log-driver none --log-opt x=1',
  '--log-driver local --log-opt x=1',
  '--log-driver local --log-opt labels=x',
];

const refusedAtStart = [
  '--log-driver json-file --log-opt max-size=bogus',
  '--log-driver json-file --log-opt max-file=x',
  '--log-driver json-file --log-opt max-file=0 --log-opt max-size=1m',
  '--log-driver json-file --log-opt compress=x --log-opt max-size=1m',
  '--log-driver json-file --log-opt compress=true',
  "--log-driver json-file --log-opt tag='{{.Nope}}'",
  "--log-driver json-file --log-opt tag='{{'",
  "--log-driver json-file --log-opt labels-regex='('",
  '--log-driver gcplogs',
  '--log-driver local --log-opt max-size=x',
  '--log-driver local --log-opt max-file=0',
  '--log-driver local --log-opt compress=x',
  '--log-driver local --log-opt max-file=1',
];

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
    name: 'logs: json-file, byte for byte',
    steps: [
      {
        run: "docker run --name $N -l team=core -l x.y=1 -e COLOUR=red -e SIZE=big --log-driver json-file --log-opt labels=team --log-opt labels-regex=^x --log-opt env=COLOUR --log-opt env-regex=IZ --log-opt tag='{{.ImageName}}/{{.Name}}' busybox sh -c 'printf \"tab\\there<&>\\\"q\\\\ \\001\\177\\342\\200\\250 \\377x\\303\\251\\r\\n\"; echo; sleep 1; echo err >&2; sleep 1; printf tail' >/dev/null 2>&1",
        setup: true,
      },
      'sed \'s/"time":"[^"]*"/"time":"T"/\' $(docker inspect -f \'{{.LogPath}}\' $N) | od -c',
      'docker logs --details $N 2>/dev/null',
      "docker inspect -f '{{json .HostConfig.LogConfig}}' $N",
      "basename $(docker inspect -f '{{.LogPath}}' $N) | sed 's/^[0-9a-f]*/ID/'",
      "stat -c '%a %U' $(docker inspect -f '{{.LogPath}}' $N)",
    ],
  },
  {
    name: 'logs: json-file with long lines',
    steps: [
      {
        run: 'docker run --name $N --log-driver json-file busybox sh -c \'head -c 40000 /dev/zero | tr "\\000" x; echo; echo next\' >/dev/null',
        setup: true,
      },
      'sed \'s/"time":"[^"]*"/"time":"T"/\' $(docker inspect -f \'{{.LogPath}}\' $N) | awk \'{print length($0), substr($0, length($0) - 40)}\'',
    ],
  },
  {
    name: 'logs: json-file is rotated',
    steps: [
      {
        run: "docker run --name $N --log-driver json-file --log-opt max-size=2k --log-opt max-file=3 busybox sh -c 'for i in $(seq 100 250); do echo line $i; done' >/dev/null",
        setup: true,
      },
      'cd $(dirname $(docker inspect -f "{{.LogPath}}" $N)); ls | grep json.log | sed "s/^[0-9a-f]*/ID/"; cat *-json.log | grep -c . >/dev/null && echo has lines; cat *-json.log.2 *-json.log.1 *-json.log | grep -o "line [0-9]*" | tail -n 1',
      {
        run: "docker run --name $N-z --log-driver json-file --log-opt max-size=2k --log-opt max-file=3 --log-opt compress=true busybox sh -c 'for i in $(seq 100 250); do echo line $i; done' >/dev/null",
        setup: true,
      },
      'docker logs $N-z | tail -n 1',
    ],
  },
  {
    name: 'logs: LogPath is that of json-file alone',
    steps: [
      'docker create --name $N --log-driver local busybox >/dev/null; docker inspect -f "[{{.LogPath}}]" $N',
      'docker create --name $N-2 --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 busybox >/dev/null; docker inspect -f "[{{.LogPath}}] {{json .HostConfig.LogConfig}}" $N-2',
    ],
  },
  {
    name: 'logs: are kept for reading beside a driver that cannot be read',
    steps: [
      'docker run --name $N --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 busybox echo kept; docker logs $N',
      'docker run --name $N-2 --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 --log-opt cache-disabled=true busybox echo gone; docker logs $N-2',
    ],
  },
  {
    name: 'logs: options refused at creation',
    steps: refusedAtCreation.map(options => `docker create ${options} busybox`),
  },
  {
    name: 'logs: options refused at the start',
    steps: refusedAtStart.map(options => `docker run --rm ${options} busybox true`),
  },
  {
    name: 'logs: what a failed start leaves',
    steps: [
      'docker run --name $N --log-driver json-file --log-opt max-size=bogus busybox true',
      "docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' $N",
    ],
  },
  {
    name: 'logs: a driver that does not exist, and one that is not supported',
    steps: [
      'docker create --log-driver nosuchdriver busybox',
      {
        run: 'docker create --log-driver splunk busybox',
        differs: {
          reason: 'Gantry has no splunk driver and says so',
          code: 1,
          stderr: /log driver "splunk" is not supported: use one of awslogs, .*syslog/,
        },
      },
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
