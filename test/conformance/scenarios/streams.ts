import type { Scenario } from '../scenario.ts';

const running = { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true };
/** Ends the wait for something that is there in a moment: `until 'test -s file'`. */
const until = (condition: string) => `for i in $(seq 600); do ${condition} && break; sleep 0.1; done`;
/** Makes an exec and writes its id to the file `id`. */
const execCreated = (body: string) =>
  `curl -s --unix-socket $SOCK -H "Content-Type: application/json" -d '${body}' http://d/v1.41/containers/$N/exec | cut -d'"' -f4 > id`;
const attached = (query: string, decode = 'od -An -c') =>
  `api POST "/v1.41/containers/$N/attach?${query}" | ${decode}`;

export const streamsScenarios: readonly Scenario[] = [
  {
    name: 'attach: what cannot be attached to',
    steps: [
      'docker create --name $N busybox true >/dev/null; docker attach $N',
      running.run.replace('$N', '$N-2'),
      'docker pause $N-2 >/dev/null',
      'api POST "/v1.41/containers/$N-2/attach?stream=1&stdout=1"',
      'api POST "/v1.41/containers/$N-2/attach?stream=1&stdout=1&detachKeys=ctrl-foo"',
      'docker unpause $N-2 >/dev/null',
      'api POST "/v1.41/containers/$N-2/attach?stream=1&stdout=1&detachKeys=ctrl-foo"',
      'api POST "/v1.41/containers/nosuch/attach?stream=1&stdout=1"',
      'docker attach --detach-keys nonsense $N-2',
      'docker attach',
      'docker attach $N-2 $N',
    ],
  },
  {
    name: 'attach: past output, with logs=1',
    steps: [
      {
        run: `docker run -d --name $N busybox sh -c 'echo out; sleep 0.2; echo err >&2; sleep 300' >/dev/null; ${until('docker logs $N 2>&1 | grep -q err')}`,
        setup: true,
      },
      attached('logs=1&stdout=1&stderr=1'),
      attached('logs=1&stdout=1'),
      attached('logs=1&stderr=1'),
      attached('stdout=1&stderr=1'),
      attached('logs=1'),
    ],
  },
  {
    name: 'attach: past output and what comes, of one that ends',
    steps: [
      {
        run: `docker run -d --name $N busybox sh -c 'echo before; until [ -f /go ]; do sleep 0.1; done; echo after; sleep 0.5; echo late >&2' >/dev/null; ${until('docker logs $N | grep -q before')}`,
        setup: true,
      },
      `api POST "/v1.41/containers/$N/attach?logs=1&stream=1&stdout=1&stderr=1" -N > out & ${until('grep -qs before out')}; docker exec $N touch /go; wait; od -An -c out`,
      attached('logs=1&stdout=1&stderr=1'),
    ],
  },
  {
    name: 'attach: past output of a terminal is raw',
    steps: [
      { run: `docker run -t --name $N busybox echo words >/dev/null`, setup: true },
      attached('logs=1&stdout=1&stderr=1'),
    ],
  },
  {
    name: 'attach: several clients see all that comes, and the exit code',
    steps: [
      {
        run: "docker run -d --name $N busybox sh -c 'until [ -f /go ]; do echo waiting; sleep 0.1; done; seq 200; exit 5' >/dev/null",
        setup: true,
      },
      `for i in 1 2 3; do (docker attach --no-stdin $N > a$i; echo code $? >> a$i) & done; ${until('[ -s a1 -a -s a2 -a -s a3 ]')}; docker exec $N touch /go; wait; for i in 1 2 3; do grep -v waiting a$i | cksum; tail -n 1 a$i; done`,
    ],
  },
  {
    name: 'attach: the input of several clients',
    steps: [
      {
        run: "docker run -d -i --name $N busybox sh -c 'read a; echo got $a; read b; echo got $b' >/dev/null",
        setup: true,
      },
      `(echo one; sleep 5) 2>/dev/null | docker attach $N >/dev/null & ${until('docker logs $N | grep -q one')}; (echo two; sleep 5) 2>/dev/null | docker attach $N >/dev/null & docker wait $N; docker logs $N`,
    ],
  },
  {
    name: 'attach: a client that leaves ends the input it was the first of, and no other',
    steps: [
      "docker create -i --name $N busybox cat >/dev/null; docker inspect --format '{{.Config.StdinOnce}} {{.Config.OpenStdin}} {{.Config.AttachStdin}}' $N",
      'echo x | docker start -i $N; docker wait $N',
      "docker run -d -i --name $N-2 busybox cat >/dev/null; docker inspect --format '{{.Config.StdinOnce}} {{.Config.OpenStdin}} {{.Config.AttachStdin}}' $N-2",
      ...['one', 'two'].map(
        word =>
          `echo ${word} | docker attach $N-2 >/dev/null 2>&1 & ${until(`docker logs $N-2 | grep -q ${word}`)}; kill -9 $!; docker inspect --format '{{.State.Running}}' $N-2; docker logs $N-2`,
      ),
    ],
  },
  {
    name: 'attach: signals are passed on, or not',
    steps: [
      {
        run: 'docker run -d --name $N busybox sh -c \'trap "exit 4" HUP; while :; do echo tick; sleep 0.1; done\' >/dev/null',
        setup: true,
      },
      `docker attach --sig-proxy=false $N > out & ${until('[ -s out ]')}; kill -HUP $!; wait $! 2>/dev/null; echo code $?; docker inspect --format '{{.State.Running}}' $N`,
      `docker attach $N > out2 & ${until('[ -s out2 ]')}; kill -HUP $!; wait $! 2>/dev/null; echo code $?; docker inspect --format '{{.State.Running}}' $N`,
    ],
  },
  {
    name: 'attach: a client that is killed does not disturb',
    steps: [
      {
        run: "docker run -d -i --name $N busybox sh -c 'while read x; do echo got $x; done' >/dev/null",
        setup: true,
      },
      ...['one', 'two'].map(
        word =>
          `(echo ${word}; sleep 5) 2>/dev/null | docker attach $N >/dev/null 2>&1 & ${until(`docker logs $N | grep -q ${word}`)}; kill -9 $!; docker logs $N; docker inspect --format '{{.State.Running}}' $N`,
      ),
    ],
  },
  {
    name: 'attach: a client that takes nothing holds the container back, until it is gone',
    steps: [
      {
        run: "docker run -d --name $N busybox sh -c 'until [ -f /go ]; do echo waiting; sleep 0.1; done; yes $(seq -s- 300) | head -n 5000' >/dev/null",
        setup: true,
      },
      `sh -c 'exec docker attach --no-stdin $0 > stuck' $N & stuck=$!; docker attach --no-stdin $N > other & ${until('[ -s stuck -a -s other ]')}; kill -STOP $stuck; docker exec $N touch /go; sleep 2; docker inspect --format '{{.State.Running}}' $N; kill -KILL $stuck; docker wait $N; wait; grep -v waiting other | cksum; ${until('[ $(docker logs $N | grep -vc waiting) = 5000 ]')}; docker logs $N | grep -v waiting | cksum`,
    ],
  },
  {
    name: 'attach: input that ends with its first client, and what a second one types',
    steps: [
      `api POST /v1.41/containers/create?name=$N -H "Content-Type: application/json" -d '{"Image":"busybox","OpenStdin":true,"StdinOnce":true,"AttachStdin":true,"Cmd":["sh","-c","cat; echo eof; until [ -f /go ]; do echo waiting; sleep 0.1; done; read x || echo none"]}'; docker start $N`,
      `echo first | docker attach $N > out1 & ${until('grep -qs eof out1')}; echo second | docker attach $N > out2 & ${until('grep -qs waiting out2')}; docker exec $N touch /go; wait; for i in 1 2; do grep -v waiting out$i; done; docker wait $N`,
    ],
  },
  {
    name: 'attach: several clients at one terminal',
    steps: [
      { run: 'docker run -d -it --name $N busybox sh >/dev/null', setup: true },
      `mkfifo in1 in2; for i in 1 2; do timeout 80 script -qec "docker attach $N" /dev/null < in$i > out$i & done; exec 3> in1 4> in2; echo 'echo o"n"e' >&3; ${until("grep -qs '^one' out1")}; echo 'echo t"w"o' >&4; ${until("grep -qs '^two' out1 && grep -qs '^two' out2")}; printf '\\020\\021' | tee /dev/fd/3 >&4; wait; grep -ac '^two' out1 out2; docker inspect --format '{{.State.Running}}' $N`,
    ],
  },
  {
    name: 'attach: a slow client gets everything',
    steps: [
      {
        run: "docker run -d --name $N busybox sh -c 'until [ -f /go ]; do echo waiting; sleep 0.1; done; yes $(seq -s- 300) | head -n 2000' >/dev/null",
        setup: true,
      },
      `docker attach --no-stdin $N | { read first; docker exec $N touch /go; sleep 2; grep -v waiting | cksum; }; docker wait $N; ${until('[ $(docker logs $N | grep -vc waiting) = 2000 ]')}; docker logs $N | grep -v waiting | cksum`,
    ],
  },
  {
    name: 'run: attached to its input only',
    steps: [
      "echo words | docker run -i -a stdin --name $N busybox sh -c 'cat; echo end' > id; wc -c < id; docker wait $N; docker logs $N",
      'docker run --rm -a nosuchstream busybox true',
      'docker run -d -a stdout busybox true',
      "docker run --rm -t -a stdout busybox sh -c 'echo x; echo y >&2'",
    ],
  },
  {
    name: 'run: fifty megabytes in and out',
    steps: [
      { run: 'head -c 50000000 /dev/zero | docker run --rm -i busybox wc -c' },
      {
        run: 'head -c 50000000 /dev/zero | docker run --rm -i --log-driver none busybox cat | cksum',
      },
    ],
  },
  {
    name: 'run: input that nobody reads',
    steps: [
      'head -c 5000000 /dev/zero | docker run --rm -i busybox sleep 1; echo code $?',
      'head -c 5000000 /dev/zero | docker run --rm -i busybox true; echo code $?',
      "echo x | docker run --rm -i busybox sh -c 'exec <&-; sleep 0.5; echo done'",
    ],
  },
  {
    name: 'run: the input ends while output goes on',
    steps: [
      "(echo a; sleep 0.5; echo b) | docker run --rm -i busybox sh -c 'cat; sleep 0.5; echo eof seen; echo err >&2; exit 6'",
      "printf 'no newline' | docker run --rm -i busybox cat",
      'docker run --rm -i busybox cat < /dev/null',
    ],
  },
  {
    name: 'run: without --sig-proxy the container stays',
    steps: [
      {
        run: `docker run --sig-proxy=false --name $N busybox sh -c 'echo ready; exec sleep 300' > out & ${until('[ -s out ]')}; kill -HUP $!; wait $! 2>/dev/null; echo code $?; docker inspect --format '{{.State.Running}}' $N`,
        // The shell may say "Hangup", before it waits or not at all.
        compare: ['stdout', 'code'],
      },
    ],
  },
  {
    name: 'run: the client is killed',
    steps: [
      `sh -c 'exec docker run -i --name $0 busybox sh -c "cat; echo end"' $N < /dev/zero >/dev/null & p=$!; ${until('docker inspect --format "{{.State.Running}}" $N 2>/dev/null | grep -q true')}; kill -9 $p; docker wait $N; docker logs $N | tail -c 5 | tr -d '\\0'`,
    ],
  },
  {
    name: 'run: detach keys that are none',
    steps: [
      'docker run --rm --detach-keys nonsense busybox true',
      'docker create --name $N busybox true >/dev/null; docker start -a --detach-keys ctrl-1 $N',
    ],
  },
  {
    name: 'start: several, and attached',
    steps: [
      'docker create --name $N busybox true >/dev/null; docker create -i --name $N-2 busybox cat >/dev/null',
      'docker start -a $N $N-2',
      'docker start -i $N $N-2',
      'docker start $N $N-2; docker wait $N',
      'docker start -a nosuchcontainer',
      'docker start',
      "docker create --name $N-3 busybox nosuchprogram >/dev/null; docker start -a $N-3; docker inspect --format '{{.State.ExitCode}}' $N-3",
      'docker create --name $N-4 busybox /etc/passwd >/dev/null; docker start -a $N-4',
    ],
  },
  {
    name: 'start: -a, and the signals the client and the container get',
    steps: [
      {
        run: `docker create --name $N busybox sh -c 'trap "exit 7" TERM HUP; echo ready; while :; do sleep 0.1; done' >/dev/null`,
        setup: true,
      },
      `docker start -a $N > out & ${until('[ -s out ]')}; docker stop -t 20 $N; wait $!; echo code $?; docker wait $N`,
      `docker start -a $N > out2 & ${until('[ -s out2 ]')}; kill -HUP $!; wait $! 2>/dev/null; echo code $?; docker wait $N`,
      // Not SIGTERM: it ends the client itself, which passes it on when there is time.
      `docker start -a $N > out4 & ${until('[ -s out4 ]')}; docker kill $N; wait $!; echo code $?`,
    ],
  },
  {
    name: 'resize: before, during and after',
    steps: [
      {
        run: 'docker create -t --name $N busybox sh -c "while :; do stty size; sleep 0.2; done" >/dev/null',
        setup: true,
      },
      'api POST "/v1.41/containers/$N/resize?h=10&w=20"',
      'docker start $N >/dev/null; api POST "/v1.41/containers/$N/resize?h=31&w=77"',
      `${until("docker logs $N | grep -q '31 77'")}; docker logs $N | tail -n 1`,
      'api POST "/v1.41/containers/$N/resize?h=x&w=77"',
      'api POST "/v1.41/containers/nosuch/resize?h=1&w=1"',
      'docker kill $N >/dev/null; api POST "/v1.41/containers/$N/resize?h=10&w=20"',
    ],
  },
  {
    name: 'resize: without a terminal, and of an exec that is about to start',
    steps: [
      running,
      'api POST "/v1.41/containers/$N/resize?h=10&w=20"',
      `${execCreated('{"Cmd":["sleep","300"],"AttachStdout":true}')}; api POST /v1.41/exec/$(cat id)/start -H "Content-Type: application/json" -d '{"Detach":true}'; api POST "/v1.41/exec/$(cat id)/resize?h=10&w=20"`,
      'api POST "/v1.41/exec/nosuch/resize?h=10&w=20"; api POST "/v1.41/exec/$(cat id)/resize?h=x&w=20"',
      {
        // 20.10 waits for the start in a request that nobody may leave before ten seconds have passed.
        run: `${execCreated('{"Cmd":["sh","-c","until stty size | grep 31; do sleep 0.1; done"],"Tty":true,"AttachStdout":true}')}; api POST "/v1.41/exec/$(cat id)/resize?h=31&w=77" > resized & sleep 0.3; api POST /v1.41/exec/$(cat id)/start -H "Content-Type: application/json" -d '{"Tty":true}' 2>/dev/null | grep -ao '31 77'; wait; cat resized`,
      },
    ],
  },
  {
    name: 'exec: half-closed, large and ignored input',
    steps: [
      running,
      '(echo a; sleep 0.5; echo b) | docker exec -i $N sh -c "cat; sleep 0.3; echo eof; exit 3"; echo code $?',
      { run: 'head -c 50000000 /dev/zero | docker exec -i $N wc -c' },
      { run: 'head -c 20000000 /dev/zero | docker exec -i $N cat | cksum' },
      'head -c 5000000 /dev/zero | docker exec -i $N sleep 0.5; echo code $?',
      'echo x | docker exec -i $N sh -c "exec <&-; sleep 0.3; echo done"',
      'docker exec $N sh -c "seq 100000; seq 1000 >&2" 2>err | cksum; cksum < err',
      'docker exec $N seq 300000 | (sleep 2; cksum)',
    ],
  },
  {
    name: 'exec: what cannot be started, on a terminal',
    steps: [
      running,
      ...['/nosuch', 'nosuch', '/etc/passwd', '/etc', '-w /nosuch'].map(what => {
        const [options, program] = what.startsWith('-') ? [what, 'true'] : ['', what];
        // 20.10 ends with 126 for what is not there either.
        return `docker exec -t ${options} $N ${program} | tr -d '\\r'`;
      }),
      'docker exec -d -t $N /nosuch; echo code $?',
      "docker kill $N >/dev/null; docker inspect --format '{{.State.ExitCode}} {{json .ExecIDs}}' $N",
    ],
  },
  {
    name: 'exec: input it was not given is empty',
    steps: [
      running,
      'echo x | docker exec $N cat; docker exec -u app $N cat; docker exec $N sh -c "read x; echo $?"',
    ],
  },
  {
    name: 'exec: closed outputs, and children left behind',
    steps: [
      running,
      'docker exec $N sh -c "exec >&- 2>&-; sleep 0.5; exit 3"; echo code $?',
      'docker exec $N sh -c "sleep 300 & echo hi; exit 4"; echo code $?',
      'docker exec $N sh -c "head -c 60000 /dev/zero; sleep 300 & exit 0" | wc -c',
      "docker exec $N sh -c 'kill -9 $$'; echo $?; docker exec $N sh -c 'kill -TERM $$'; echo $?; docker exec $N sh -c 'kill -INT $$'; echo $?",
    ],
  },
  {
    name: 'exec: --env-file, -e without a value, and their errors',
    files: { env: 'A=from file\n# comment\nB\n\nC=\n', bad: 'with space=1\n' },
    steps: [
      running,
      'B=client docker exec --env-file env -e D=1 -e E $N sh -c \'echo "$A|$B|${C-unset}|$D|${E-unset}"\'',
      'E=client docker exec -e E $N sh -c \'echo "$E"\'',
      'docker exec --env-file bad $N true',
      'docker exec --env-file nosuchfile $N true',
    ],
  },
  {
    name: 'exec: -d, and what does not go with it',
    steps: [
      running,
      'docker exec -d $N sh -c "sleep 0.5; echo done > /mark"; echo $?',
      `${until('docker exec $N test -s /mark')}; docker exec $N cat /mark`,
      'docker exec -d -it $N true; echo $?',
      'docker exec -d nosuchcontainer true',
      'docker exec $N',
      'docker exec -d -w /no/such $N true',
      'docker exec -d -u nosuchuser $N true',
    ],
  },
  {
    name: 'exec: keys to detach that are none',
    steps: [
      running,
      "for keys in '' a 'ctrl-@' 'ctrl-[' 'ctrl-_' 'a,b,c' DEL ' ' 'ctrl-A' 'ctrl-é' , 'a,' ctrl-; do docker exec --detach-keys \"$keys\" $N echo \"$keys\"; done",
      'docker exec --detach-keys nonsense $N true',
      'docker exec --detach-keys nonsense -t $N true',
    ],
  },
  {
    name: 'exec: states through the API',
    steps: [
      running,
      {
        run:
          'post() { curl -s --unix-socket $SOCK -H "Content-Type: application/json" "$@"; echo; }; ' +
          'id=$(post -d \'{"Cmd":["sh","-c","exit 6"],"AttachStdout":true,"User":"app","DetachKeys":"ctrl-a","Env":["A=1"]}\' http://d/v1.41/containers/$N/exec | cut -d\'"\' -f4); echo $id > id; post http://d/v1.41/exec/$id/json',
        json: true,
      },
      'api POST /v1.41/exec/$(cat id)/start -H "Content-Type: application/json" -d \'{"Detach":true}\'',
      {
        run: `${until('curl -s --unix-socket $SOCK http://d/v1.41/exec/$(cat id)/json | grep -q \'"ExitCode":6\'')}; curl -s --unix-socket $SOCK http://d/v1.41/exec/$(cat id)/json`,
        json: true,
        ignore: ['Pid'],
      },
      'api POST /v1.41/exec/$(cat id)/start -H "Content-Type: application/json" -d \'{"Detach":true}\'',
      'api POST /v1.41/exec/$(cat id)/start -H "Content-Type: application/json" -d \'{}\'',
      'api POST /v1.41/exec/$(cat id)/resize?h=1\\&w=1',
    ],
  },
  {
    name: 'exec: one that was made, of a container that was stopped or paused since',
    steps: [
      running,
      'for i in 1 2; do curl -s --unix-socket $SOCK -H "Content-Type: application/json" -d \'{"Cmd":["true"]}\' http://d/v1.41/containers/$N/exec | cut -d\'"\' -f4 > id$i; done',
      'docker pause $N >/dev/null; api POST /v1.41/exec/$(cat id1)/start -H "Content-Type: application/json" -d \'{"Detach":true}\'; docker unpause $N >/dev/null',
      'docker kill $N >/dev/null; api POST /v1.41/exec/$(cat id2)/start -H "Content-Type: application/json" -d \'{"Detach":true}\'',
      "docker inspect --format '{{json .ExecIDs}}' $N",
      'docker rm $N >/dev/null; api GET /v1.41/exec/$(cat id2)/json',
    ],
  },
  {
    name: 'exec: the container dies or is paused meanwhile',
    steps: [
      running,
      `docker exec $N sh -c 'for i in 1 2 3 4 5; do echo $i; sleep 0.2; done' > out & ${until('[ -s out ]')}; docker pause $N; docker unpause $N; wait $!; echo code $?; cat out`,
      `docker exec $N sh -c 'echo begun; sleep 100' > out2 & ${until('[ -s out2 ]')}; docker stop -t 0 $N; wait $!; echo code $?`,
    ],
  },
  {
    name: 'exec: events say what was run and how it ended',
    steps: [
      { run: 'date +%s > since; docker run -d --name $N busybox sleep 300 >/dev/null', setup: true },
      "docker exec $N sh -c 'exit 3'; docker exec $N nosuchprogram; sleep 1",
      {
        run: "docker events --since $(cat since) --until $(date +%s) --filter container=$N --format '{{.Action}} {{.Actor.Attributes.exitCode}}' | grep exec_ | sort | uniq -c",
      },
    ],
  },
];
