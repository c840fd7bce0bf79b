import type { Scenario } from '../scenario.ts';

export const runScenarios: readonly Scenario[] = [
  {
    name: 'run: the exit code is the process’s own',
    steps: [
      'docker run --rm busybox true',
      'docker run --rm busybox false',
      "docker run --rm busybox sh -c 'exit 42'",
      "docker run --rm busybox sh -c 'exit 255'",
    ],
  },
  {
    name: 'run: killed by a signal is 128 plus its number',
    steps: [
      'docker run --rm busybox sh -c \'sh -c "kill -9 \\$\\$"; exit $?\'',
      'docker run --rm busybox sh -c \'sh -c "kill -TERM \\$\\$"; exit $?\'',
      '(sleep 1.5; docker kill $N >/dev/null) & docker run --name $N busybox sleep 60',
      "docker run --rm busybox sh -c 'kill -9 $$; echo pid 1 does not kill itself'",
    ],
  },
  {
    name: 'run: memory shared with another container, and with the host',
    steps: [
      'docker run -d --name $N busybox sleep 100 >/dev/null; docker run --rm --ipc container:$N busybox true',
      {
        run: "docker run -d --name $N-donor --ipc shareable --shm-size 1m busybox sh -c 'echo shared > /dev/shm/x; sleep 100' >/dev/null; docker run -d --name $N-2 --ipc container:$N-donor busybox sleep 100 >/dev/null; sleep 0.5",
        setup: true,
      },
      'docker run --rm --ipc container:$N-2 busybox sh -c \'cat /dev/shm/x; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2\'',
      'docker rm -f $N-donor; docker exec $N-2 cat /dev/shm/x',
      'docker run --rm --ipc none busybox ls -d /dev/shm',
      'f=/dev/shm/$N-$$; daemon touch $f; docker run --rm --ipc host busybox ls $f | sed s,$f,seen,; daemon rm $f',
    ],
  },
  {
    name: 'run: values out of range',
    steps: [
      'docker run --rm --cap-add NOSUCH busybox true',
      'docker run --rm --cap-drop NOSUCH busybox true',
      'docker run --rm --oom-score-adj 5000 busybox true',
      'docker run --rm --sysctl kernel.foo=1 busybox true',
    ],
  },
  {
    name: 'run: a missing command is 127',
    steps: ['docker run --rm busybox nosuchprogram', 'docker run --rm busybox /no/such/path'],
  },
  {
    name: 'run: a command that cannot be executed is 126',
    steps: ['docker run --rm busybox /etc/passwd', 'docker run --rm busybox /etc'],
  },
  {
    name: 'run: what a failed start leaves behind',
    steps: [
      'docker run --name $N busybox nosuchprogram',
      "docker inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.Error}}' $N",
      "docker ps -a --filter name=$N --format '{{.Names}} {{.Status}}'",
      'docker start $N',
      'docker rm $N',
    ],
  },
  {
    name: 'run: engine errors are 125',
    steps: [
      'docker run --rm --memory 1k busybox true',
      'docker run --rm --network nosuchnetwork busybox true',
      'docker run --rm -v relative/path:/x:bogus busybox true',
      'docker run --rm --nosuchflag busybox true',
      'docker run',
    ],
  },
  {
    name: 'run: stdout and stderr stay apart',
    steps: ["docker run --rm busybox sh -c 'echo out; echo err >&2; printf tail'"],
  },
  {
    name: 'run: stdin is piped and its end is seen',
    steps: [
      'echo hello | docker run --rm -i busybox cat',
      'docker run --rm -i busybox cat </dev/null',
      'head -c 3000000 /dev/zero | docker run --rm -i busybox wc -c',
      'echo ignored | docker run --rm busybox cat',
      "printf 'a\\nb\\nc\\n' | docker run --rm -i busybox head -n 1",
    ],
  },
  {
    name: 'run: a process that ends before stdin does',
    steps: ["(echo first; sleep 1; echo late) | docker run --rm -i busybox sh -c 'read x; echo got $x'"],
  },
  {
    name: 'run: binary output arrives byte for byte',
    steps: [
      'docker run --rm busybox sh -c \'printf "\\000\\001\\377\\r\\n\\r"\' | od -An -tx1',
      'docker run --rm busybox dd if=/dev/zero bs=100000 count=50 2>/dev/null | sha256sum',
    ],
  },
  {
    name: 'run: -t gives a terminal, with both streams on stdout',
    steps: [
      "docker run --rm -t busybox sh -c 'test -t 0 && test -t 1 && tty; echo err >&2'",
      "docker run --rm -t busybox sh -c 'echo $TERM'",
      'echo hello | docker run --rm -it busybox cat',
    ],
  },
  {
    name: 'run: -d prints the id and returns',
    steps: [
      'docker run -d --name $N busybox sleep 30',
      "docker inspect --format '{{.Id}} {{.State.Status}}' $N",
      {
        run: 'docker run -d --rm --name $N-gone busybox true >/dev/null; docker wait $N-gone 2>/dev/null; while docker inspect $N-gone >/dev/null 2>&1; do sleep 0.1; done; docker inspect $N-gone',
        differs: {
          reason: 'whether the wait comes before the container is gone is chance',
          code: 1,
          stdout: /^(0\n)?\[\]\n$/,
          stderr: /no such object: /i,
        },
      },
    ],
  },
  {
    name: 'run: -d with a command that cannot start',
    steps: [
      { run: 'docker run -d --name $N busybox nosuchprogram' },
      'docker ps -aq --filter name=$N | wc -l',
      "docker inspect --format '{{.State.Status}}' $N",
    ],
  },
  {
    name: 'run: --rm removes the container and its anonymous volumes',
    steps: [
      "docker run --rm --name $N -v /data busybox sh -c 'echo x > /data/f'",
      'docker inspect $N',
      'docker ps -aq --filter name=$N',
    ],
  },
  {
    name: 'run: --rm does not go with --restart',
    steps: ['docker run --rm --restart always busybox true'],
  },
  {
    name: 'run: a name can be had once',
    steps: [
      'docker create --name $N busybox true',
      'docker create --name $N busybox true',
      'docker run --name $N busybox true',
      'docker rm $N',
      'docker run --name $N busybox echo again',
    ],
  },
  {
    name: 'run: invalid names',
    steps: [
      'docker create --name x busybox',
      'docker create --name _leading busybox',
      "docker create --name 'with space' busybox",
      'docker create --name a/b busybox',
    ],
  },
  {
    name: 'run: environment from flags, files and the client',
    files: {
      'env.list': '# a comment\nFROM_FILE=file value\nBOTH=file\n\nFROM_CLIENT\nEMPTY=\n',
      'bad.list': '=novalue\n',
    },
    steps: [
      {
        run: 'FROM_CLIENT=inherited docker run --rm --hostname box -e A=1 -e BOTH=flag -e UNSET --env-file env.list busybox env',
        sorted: true,
      },
      'docker run --rm --env-file bad.list busybox env',
      'docker run --rm --env-file nosuch.list busybox env',
      'docker run --rm -e =x busybox env',
      "docker run --rm -e 'SPACE=a b' -e PATH=/bin busybox sh -c 'echo \"$SPACE $PATH $HOME\"'",
    ],
  },
  {
    name: 'run: working directory',
    steps: [
      'docker run --rm -w /tmp busybox pwd',
      "docker run --rm -w /made/for/me busybox sh -c 'pwd; ls -ld /made /made/for/me | cut -c1-10'",
      'docker run --rm -w relative busybox pwd',
      'docker run --rm -w /etc/passwd busybox pwd',
    ],
  },
  {
    name: 'run: users by name and by number',
    steps: [
      "docker run --rm -u app busybox sh -c 'id; echo $HOME'",
      'docker run --rm -u 1000 busybox id',
      'docker run --rm -u 4242:99 busybox id',
      'docker run --rm -u app:staff busybox id',
      'docker run --rm -u 65534 busybox id',
      'docker run --rm -u nosuchuser busybox id',
      'docker run --rm -u app:nosuchgroup busybox id',
      'docker run --rm -u 1000 --group-add staff --group-add 77 busybox id',
      'docker run --rm --group-add nosuchgroup busybox id',
      'docker run --rm -u 99999999999 busybox id',
    ],
  },
  {
    name: 'run: hostname and domain name',
    steps: [
      "docker run --rm -h web.example.test busybox sh -c 'hostname; cat /etc/hostname; tail -n 1 /etc/hosts'",
      "docker run --rm -h web --domainname example.test busybox sh -c 'hostname; tail -n 1 /etc/hosts'",
      "docker run --rm --name $N busybox sh -c 'hostname | wc -c; test $(hostname) = $(cat /etc/hostname) && echo same'",
      "docker run --rm -h 'bad name' busybox hostname",
    ],
  },
  {
    name: 'run: labels',
    files: { labels: 'one=1\n# comment\ntwo\n' },
    steps: [
      'docker create --name $N -l a=b -l flag -l a=c --label-file labels busybox',
      "docker inspect --format '{{json .Config.Labels}}' $N",
      "docker ps -a --filter label=a=c --filter name=$N --format '{{.Names}} {{.Labels}}' | tr , '\\n' | wc -l",
    ],
  },
  {
    name: 'run: entrypoint and command',
    steps: [
      'docker run --rm --entrypoint echo busybox one two',
      'docker run --rm --entrypoint nosuchprogram busybox',
      'docker create --name $N --entrypoint /bin/echo busybox a b',
      "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Path}} {{json .Args}}' $N",
      "docker create --name $N-2 --entrypoint '' busybox a b",
      "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Path}} {{json .Args}}' $N-2",
    ],
  },
  {
    name: 'run: --cidfile',
    steps: [
      'docker run --rm --cidfile id busybox true && wc -c < id',
      'docker run --rm --cidfile id busybox true',
    ],
  },
  {
    name: 'run: --init is pid 1 and reaps',
    steps: [
      "docker run --rm --init busybox sh -c 'cat /proc/1/comm; ps -o pid,comm | grep -c defunct'",
      "docker run --rm --init busybox sh -c 'exit 7'",
      // Until the init has started its child it may not hear signals yet.
      `docker run -d --name $N --init busybox sleep 100 >/dev/null; for i in $(seq 300); do [ $(docker top $N | grep -c 'sleep 100') = 2 ] && break; sleep 0.1; done; docker stop -t 5 $N; docker inspect --format '{{.State.ExitCode}}' $N`,
    ].map(run => ({ run, replace: [[/docker-init|catatonit|tini/g, '<init>'] as [RegExp, string]] })),
  },
  {
    name: 'run: an image that is not there',
    steps: [
      'docker run --rm --pull never nosuchimage:1.0 true',
      'docker create --pull never sha256:0123456789012345678901234567890123456789012345678901234567890123',
      'docker run --rm --pull bogus busybox true',
    ],
  },
  {
    name: 'run: invalid references',
    steps: [
      'docker run --rm BusyBox true',
      'docker run --rm busybox:bad:tag true',
      "docker run --rm 'busybox@sha256:short' true",
      'docker run --rm -- -leading true',
    ],
  },
  {
    name: 'run: an image without a command',
    steps: [
      'echo x > f; tar -c f | docker import - $N:1',
      'docker run --rm $N:1',
      'docker create $N:1',
      'docker rmi $N:1 >/dev/null',
    ],
  },
  {
    name: 'run: --stop-signal, --stop-timeout and SIGTERM',
    steps: [
      "docker run -d --name $N --stop-signal USR1 busybox sh -c 'trap \"exit 9\" USR1; while :; do sleep 0.1; done' >/dev/null; sleep 0.5; docker stop -t 5 $N; docker inspect --format '{{.State.ExitCode}}' $N",
      "docker run -d --name $N-2 --stop-timeout 1 busybox sleep 100 >/dev/null; docker stop $N-2; docker inspect --format '{{.State.ExitCode}} {{.Config.StopTimeout}}' $N-2",
      'docker create --stop-signal NOSUCH busybox',
    ],
  },
  {
    name: 'run: attaching to one stream only',
    steps: [
      "docker run --rm -a stdout busybox sh -c 'echo out; echo err >&2'",
      "docker run --rm -a stderr busybox sh -c 'echo out; echo err >&2'",
      'echo in | docker run --rm -a stdin -a stdout -i busybox cat',
    ],
  },
  {
    name: 'run: the client passes signals on',
    steps: [
      'timeout -s TERM 2 docker run --rm --name $N busybox sh -c \'trap "echo got TERM; exit 5" TERM; while :; do sleep 0.1; done\'; echo code $?',
    ],
  },
];
