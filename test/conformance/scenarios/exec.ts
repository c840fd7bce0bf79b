import type { Scenario } from '../scenario.ts';

const running = { run: 'docker run -d --name $N -e FROM_RUN=1 busybox sleep 300 >/dev/null', setup: true };

export const execScenarios: readonly Scenario[] = [
  {
    name: 'exec: exit codes',
    steps: [
      running,
      'docker exec $N true',
      "docker exec $N sh -c 'exit 3'",
      "docker exec $N sh -c 'kill -9 $$'",
    ],
  },
  {
    name: 'exec: 126 and 127',
    steps: [
      running,
      {
        run: 'docker exec $N nosuchprogram',
        differs: { reason: '20.10 ended with 126; newer versions with 127, as run does', code: 127 },
      },
      {
        run: 'docker exec $N /no/such/path',
        differs: { reason: '20.10 ended with 126; newer versions with 127, as run does', code: 127 },
      },
      'docker exec $N /etc/passwd',
    ],
  },
  {
    name: 'exec: streams',
    steps: [
      running,
      "docker exec $N sh -c 'echo out; echo err >&2'",
      'echo piped | docker exec -i $N cat',
      'echo ignored | docker exec $N cat',
      'head -c 2000000 /dev/zero | docker exec -i $N wc -c',
      'docker exec $N dd if=/dev/zero bs=100000 count=30 2>/dev/null | wc -c',
    ],
  },
  {
    name: 'exec: user, directory and environment',
    steps: [
      running,
      'docker exec -u app $N id',
      'docker exec -u 1234:5678 $N id',
      'docker exec -w /tmp $N pwd',
      'docker exec -w /no/such/folder $N pwd',
      "docker exec -e A=1 -e B='two words' $N sh -c 'echo $A $B $FROM_RUN'",
      'docker exec -u nosuchuser $N id',
      "docker exec -u app $N sh -c 'echo $HOME'",
    ],
  },
  {
    name: 'exec: detached',
    steps: [
      running,
      "docker exec -d $N sh -c 'echo done > /tmp/mark'",
      'for i in 1 2 3 4 5 6 7 8 9 10; do docker exec $N cat /tmp/mark 2>/dev/null && break; sleep 0.2; done',
      'docker exec -d $N nosuchprogram',
    ],
  },
  {
    name: 'exec: on a terminal',
    steps: [
      running,
      "docker exec -t $N sh -c 'test -t 1 && tty' | sed 's/[0-9]*.$//'",
      "script -qec 'docker exec -it '$N' sh -c \"exit 4\"' /dev/null </dev/null >/dev/null; echo code $?",
      "script -qec 'docker exec -it '$N' sh -c \"tty; exit 4\"' /dev/null </dev/null | tr -d '^@\\r' | sed 's,pts/.*,pts/N,'",
      'echo x | docker exec -it $N cat',
    ],
  },
  {
    name: 'exec: in a container that does not run',
    steps: [
      'docker exec nosuchcontainer true',
      'docker create --name $N busybox >/dev/null; docker exec $N true',
      'docker run --name $N-2 busybox true; docker exec $N-2 true',
    ],
  },
  {
    name: 'exec: in a paused container',
    steps: [
      running,
      'docker pause $N',
      'docker exec $N true',
      'docker unpause $N',
      'docker exec $N echo awake',
    ],
  },
  {
    name: 'exec: --privileged has more capabilities',
    steps: [
      running,
      'docker exec $N grep CapEff /proc/self/status',
      'docker exec -u app $N grep CapEff /proc/self/status',
    ],
  },
  {
    name: 'exec: through the API',
    steps: [
      running,
      'api POST /v1.41/containers/$N/exec -d \'{"Cmd":["true"]}\' -H \'Content-Type: application/json\' | tail -n 1',
      "api POST /v1.41/containers/$N/exec -d '{\"Cmd\":[]}' -H 'Content-Type: application/json'",
      {
        run: "api POST /v1.41/containers/$N/exec -d '{bad' -H 'Content-Type: application/json'",
        differs: {
          reason: 'newer versions begin with "invalid JSON"',
          stdout:
            /"invalid JSON: invalid character 'b' looking for beginning of object key string"[\s\S]*\n400\n$/,
        },
      },
      'api GET /v1.41/exec/nosuchexec/json',
      "api POST /v1.41/exec/nosuchexec/start -d '{}' -H 'Content-Type: application/json'",
      {
        run: 'id=$(curl -s --unix-socket $SOCK -H \'Content-Type: application/json\' -d \'{"Cmd":["sh","-c","exit 6"],"AttachStdout":true}\' http://d/v1.41/containers/$N/exec | cut -d\'"\' -f4); curl -s --unix-socket $SOCK -H \'Content-Type: application/json\' -d \'{}\' http://d/v1.41/exec/$id/start; curl -s --unix-socket $SOCK http://d/v1.41/exec/$id/json',
        json: true,
      },
    ],
  },
  {
    name: 'exec: ids show in inspect',
    steps: [
      running,
      "docker inspect --format '{{json .ExecIDs}}' $N",
      "docker exec -d $N sleep 5; docker inspect --format '{{len .ExecIDs}}' $N",
    ],
  },
  {
    name: 'exec: processes end with the container',
    steps: [running, 'docker exec $N sleep 60 & sleep 1; docker kill $N >/dev/null; wait $!; echo code $?'],
  },
];
