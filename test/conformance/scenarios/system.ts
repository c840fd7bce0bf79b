import type { Scenario } from '../scenario.ts';

const keys = 'python3 -c \'import json,sys; d=json.load(sys.stdin); print("\\n".join(sorted(d)))\'';

export const systemScenarios: readonly Scenario[] = [
  {
    name: 'system: version',
    steps: [
      {
        run: 'docker version --format "{{json .Server}}"',
        json: true,
        ignore: [
          'Platform',
          'Components',
          'Version',
          'ApiVersion',
          'MinAPIVersion',
          'GitCommit',
          'GoVersion',
          'BuildTime',
          // Recorded answers come from another machine, here and below.
          'KernelVersion',
          'Experimental',
        ],
      },
      {
        run: 'curl -s --unix-socket $SOCK http://d/v1.41/version',
        json: true,
        ignore: [
          'Platform',
          'Components',
          'Version',
          'ApiVersion',
          'MinAPIVersion',
          'GitCommit',
          'GoVersion',
          'BuildTime',
          'KernelVersion',
        ],
      },
      "docker version --format '{{.Server.Os}} {{.Server.Arch}}'",
    ],
  },
  {
    name: 'system: info',
    steps: [
      {
        run: 'curl -s --unix-socket $SOCK http://d/v1.41/info',
        json: true,
        ignore: [
          // dockerd loads br_netfilter, which these rules do without.
          'BridgeNfIptables',
          'BridgeNfIp6tables',
          'ID',
          'Containers',
          'ContainersRunning',
          'ContainersPaused',
          'ContainersStopped',
          'Images',
          'Driver',
          'DriverStatus',
          'NFd',
          'NGoroutines',
          'NEventsListener',
          'SystemTime',
          'LoggingDriver',
          'DockerRootDir',
          'ServerVersion',
          'Runtimes',
          'DefaultRuntime',
          'InitBinary',
          'ContainerdCommit',
          'RuncCommit',
          'InitCommit',
          'SecurityOptions',
          'Warnings',
          'Plugins',
          'RegistryConfig',
          'LiveRestoreEnabled',
          'OperatingSystem',
          'CgroupDriver',
          'MemTotal',
          'NCPU',
          'KernelVersion',
        ],
      },
      'docker info --format "{{.OSType}} {{.Architecture}} {{.CgroupVersion}} {{.Swarm.LocalNodeState}}"',
      'docker info --format "{{json .Plugins.Volume}}"',
      'docker info >/dev/null',
    ],
  },
  {
    name: 'system: df',
    alone: true,
    steps: [
      { run: "docker system df --format '{{.Type}}'" },
      {
        run: `curl -s --unix-socket $SOCK http://d/v1.41/system/df | ${keys}`,
        compare: ['stdout', 'code'],
        differs: {
          reason: 'a null list may be left out',
          stdout: /BuildCache[\s\S]*Containers[\s\S]*Images[\s\S]*LayersSize[\s\S]*Volumes/,
        },
      },
      { run: 'docker system df -v >/dev/null' },
    ],
  },
  {
    name: 'system: container prune',
    alone: true,
    steps: [
      {
        run: 'docker container prune -f >/dev/null; docker create --name $N -l prune=me busybox >/dev/null; docker run -d --name $N-up busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker container prune -f --filter label=nosuch',
      'docker container prune -f',
      "docker ps -a --filter name=$N --format '{{.Names}}'",
    ],
  },
  {
    name: 'system: prune everything unused',
    alone: true,
    steps: [
      {
        run: 'docker system prune -f >/dev/null; docker create --name $N busybox >/dev/null; docker network create $N >/dev/null; docker volume create $N >/dev/null',
        setup: true,
      },
      { run: 'docker system prune -f', compare: ['stdout', 'code'] },
      'docker volume ls -q --filter name=$N',
      'docker ps -aq --filter name=$N',
      'docker network ls -q --filter name=$N',
    ],
  },
  {
    name: 'system: what needs a swarm says so',
    steps: [
      { run: 'docker service ls', compare: ['code'] },
      { run: 'docker node ls', compare: ['code'] },
      { run: 'docker config ls', compare: ['code'] },
      'api GET /v1.41/services',
      'api GET /v1.41/swarm',
    ],
  },
  {
    name: 'system: search without the internet',
    steps: [{ run: 'docker search nothing', compare: ['code'] }],
  },
];
