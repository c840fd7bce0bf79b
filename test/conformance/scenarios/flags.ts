import type { Scenario } from '../scenario.ts';

const config = (...fields: string[]) =>
  `docker inspect --format '${fields.map(field => `{{json .${field}}}`).join(' ')}' $N`;

/** Flags of create and run that decide nothing but what the container is told, and what inspect shows of them. */
const streams = config(
  'Config.Tty',
  'Config.OpenStdin',
  'Config.StdinOnce',
  'Config.AttachStdin',
  'Config.AttachStdout',
  'Config.AttachStderr',
);

export const flagsScenarios: readonly Scenario[] = [
  {
    name: 'flags: -e and --env-file in all their forms',
    files: {
      env: 'PLAIN=1\n  LEADING=2\n#COMMENT=3\n # indented\nFROM_CLIENT\nUNSET_HERE\nEQUALS=a=b\nQUOTED="x y"\nTAIL=with space \nCRLF=1\r\n',
      second: 'PLAIN=second\n',
      spaced: 'A B=1\n',
      empty: '',
      latin: 'X=\xff\n',
    },
    steps: [
      'FROM_CLIENT=yes docker create --name $N --env-file env --env-file second -e PLAIN=flag -e NOVALUE= -e FROM_CLIENT -e NOT_SET busybox >/dev/null',
      // The client orders what is given twice by chance.
      `${config('Config.Env')} | tr , '\\n' | tr -d '[]' | sort`,
      'docker create --env-file spaced busybox',
      'docker create --env-file . busybox',
      'docker create --env-file empty --name $N-2 busybox >/dev/null; docker inspect --format "{{json .Config.Env}}" $N-2',
      "docker create -e '' busybox",
      'docker create -e = busybox',
    ],
  },
  {
    name: 'flags: labels and their files',
    files: { labels: 'a=1\n#comment\nb\n  c=3\nd=x=y\n', bad: 'has space=1\n' },
    steps: [
      'docker create --name $N --label-file labels -l a=flag -l = busybox; docker create --name $N --label-file labels -l a=flag -l e= busybox >/dev/null',
      config('Config.Labels'),
      'docker create --label-file bad busybox',
      'docker create --label-file nosuchfile busybox',
    ],
  },
  {
    name: 'flags: names, annotations, runtime and platform',
    steps: [
      'docker create --name $N -h host --domainname dom.test --runtime runc busybox >/dev/null',
      config('Config.Hostname', 'Config.Domainname', 'HostConfig.Runtime'),
      {
        run: 'docker create --runtime nosuchruntime busybox',
        differs: {
          reason: 'newer versions say it in other words',
          code: 1,
          stderr: /unknown or invalid runtime name: nosuchruntime/,
        },
      },
      'docker create --platform nonsense/nonsense/x/y busybox',
      "docker create -h '' --name $N-2 busybox >/dev/null; docker inspect --format '{{len .Config.Hostname}}' $N-2",
    ],
  },
  {
    name: 'flags: terminal and streams',
    steps: [
      'docker create --name $N busybox >/dev/null',
      streams,
      'docker rm $N; docker create -it --name $N busybox >/dev/null',
      streams,
      'docker rm $N; docker run -d -it --name $N busybox >/dev/null',
      streams,
      'docker rm -f $N; docker create -a stderr -i --name $N busybox >/dev/null',
      streams,
    ],
  },
  {
    name: 'flags: entrypoint, command and directory',
    steps: [
      "docker create --name $N --entrypoint '' busybox",
      "docker create --name $N --entrypoint '' busybox echo x >/dev/null",
      config('Config.Entrypoint', 'Config.Cmd', 'Path', 'Args'),
      'docker rm $N; docker create --name $N --entrypoint \'["a","b"]\' busybox >/dev/null',
      config('Config.Entrypoint', 'Config.Cmd', 'Path', 'Args'),
      'docker create -w ../x busybox',
      'docker rm $N; docker create --name $N -w /a/../b/ busybox >/dev/null',
      config('Config.WorkingDir'),
      "docker run --rm --entrypoint '' busybox",
    ],
  },
  {
    name: 'flags: restart policies',
    steps: [
      ...['no', 'always', 'unless-stopped', 'on-failure', 'on-failure:4'].map(
        policy =>
          `docker create --name $N --restart ${policy} busybox >/dev/null; docker inspect --format '{{json .HostConfig.RestartPolicy}}' $N; docker rm $N >/dev/null`,
      ),
      ...['bogus', 'on-failure:x', 'on-failure:1:2', 'unless-stopped:2', 'no:1', 'always:0'].map(
        policy => `docker create --restart ${policy} busybox`,
      ),
    ],
  },
  {
    name: 'flags: signals and timeouts of the stop',
    steps: [
      'docker create --name $N --stop-signal SIGRTMIN+3 --stop-timeout 7 busybox >/dev/null',
      config('Config.StopSignal', 'Config.StopTimeout'),
      'docker create --stop-signal 0 busybox',
      'docker run -d --name $N-3 --stop-signal 99 busybox sleep 300 >/dev/null; docker create --stop-signal -1 --name $N-4 busybox >/dev/null; docker stop $N-3 $N-4; docker inspect --format "{{.Config.StopSignal}} {{.State.ExitCode}}" $N-3 $N-4',
      'docker create --stop-signal RTMAX-1 --name $N-2 busybox >/dev/null; docker inspect --format "{{json .Config.StopSignal}}" $N-2',
      'docker create --stop-timeout x busybox',
    ],
  },
  {
    name: 'flags: --cidfile',
    files: { taken: '' },
    steps: [
      'docker create --cidfile id --name $N busybox > printed; cmp id printed || wc -c id',
      'docker create --cidfile taken busybox',
      'docker create --cidfile no/such/folder/id busybox',
      'docker run --cidfile failed --rm --network nosuchnetwork busybox true; ls failed',
    ],
  },
  {
    name: 'flags: --pull',
    steps: [
      'docker create --pull missing --name $N busybox | wc -c',
      'docker create --pull never nosuchimage',
      'docker create --pull sometimes busybox',
      'docker run --rm --pull=never busybox echo here',
    ],
  },
  {
    name: 'flags: --init and --read-only and groups are carried',
    steps: [
      'docker create --name $N --init --read-only --group-add 5 --oom-score-adj 100 --ipc private --pid host --uts host --device /dev/null --ulimit nofile=10:20 --tmpfs /t:size=1m --shm-size 1m busybox >/dev/null',
      config(
        'HostConfig.Init',
        'HostConfig.ReadonlyRootfs',
        'HostConfig.GroupAdd',
        'HostConfig.OomScoreAdj',
        'HostConfig.IpcMode',
        'HostConfig.PidMode',
        'HostConfig.UTSMode',
        'HostConfig.Devices',
        'HostConfig.Ulimits',
        'HostConfig.Tmpfs',
        'HostConfig.ShmSize',
      ),
    ],
  },
  {
    name: 'flags: --volumes-from',
    steps: [
      'docker create --name $N-donor -v /data -v $N-vol:/named:ro busybox >/dev/null',
      "docker create --name $N --volumes-from $N-donor busybox >/dev/null; docker inspect --format '{{range .Mounts}}{{.Destination}} {{.RW}} {{end}}{{json .HostConfig.VolumesFrom}}' $N | tr ' ' '\\n' | sort",
      "docker create --name $N-2 --volumes-from $N-donor:ro busybox >/dev/null; docker inspect --format '{{range .Mounts}}{{.Destination}} {{.RW}} {{end}}' $N-2 | tr ' ' '\\n' | sort",
      'docker create --volumes-from nosuchcontainer busybox',
      'docker create --volumes-from $N-donor:bogus busybox',
    ],
  },
  {
    name: 'flags: what does not go together',
    steps: [
      'docker run -d --rm -a stdout busybox true',
      'docker run --rm --restart on-failure busybox true',
      'docker run -d --detach-keys nonsense --rm busybox true | wc -c',
      'docker run --rm -it busybox true < /dev/null',
      'docker create --network host -h name --name $N busybox | wc -c',
      'docker create --network none -p 1:1 --name $N-2 busybox | wc -c',
      'docker create --uts host -h name busybox',
      'docker create --health-cmd x --no-healthcheck busybox',
    ],
  },
  {
    name: 'flags: unknown and malformed ones',
    steps: [
      ...['create', 'run', 'start', 'exec', 'stop', 'kill', 'rm', 'wait', 'rename', 'pause'].map(
        command => `docker ${command} --nosuchflag x`,
      ),
      'docker create --memory x busybox',
      'docker run -u',
      'docker kill -s',
      'docker rename one',
      'docker wait',
    ].map(run => ({ run, compare: ['stderr' as const, 'code' as const] })),
  },
];
