import type { Scenario } from '../scenario.ts';

export const volumesScenarios: readonly Scenario[] = [
  {
    name: 'volume: create, ls, inspect, rm',
    steps: [
      'docker volume create $N',
      'docker volume create $N',
      'docker volume create --label a=b $N-l',
      'docker volume create | wc -c',
      { run: 'docker volume inspect $N-l', json: true },
      {
        run: "docker volume ls --filter name=$N --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}}'",
        sorted: true,
      },
      'docker volume ls -q --filter name=$N --filter label=a',
      'docker volume rm $N',
      'docker volume rm $N',
      'docker volume rm -f $N',
      'docker volume inspect $N',
      "docker volume create 'bad name'",
      'docker volume create a',
      'docker volume create --driver nosuch $N-x',
      'docker volume create -o nosuch=1 $N-x',
      'docker volume ls --filter nosuch=1',
      'docker volume rm $N-l nosuchvolume',
    ],
  },
  {
    name: 'volume: data outlives its container',
    steps: [
      "docker run --rm -v $N:/data busybox sh -c 'echo kept > /data/f'",
      'docker run --rm -v $N:/d busybox cat /d/f',
      'docker run --name $N -v $N:/d busybox true; docker volume rm $N',
      'docker rm $N >/dev/null; docker volume rm $N',
    ],
  },
  {
    name: 'volume: one that is empty keeps its owner and mode over a restart',
    steps: [
      'docker run -d --name $N --stop-signal KILL -v $N:/data busybox sleep 1000 >/dev/null',
      "docker run --rm -v $N:/v busybox sh -c 'chown 1000:1000 /v; chmod 0700 /v'",
      "docker restart $N >/dev/null; docker exec $N stat -c '%u:%g %a' /data",
      'docker rm -f $N; docker volume rm $N',
    ],
  },
  {
    name: 'volume: the image’s content is copied in, once',
    steps: [
      "docker run --rm -v $N:/home/app busybox sh -c 'stat -c %u:%g /home/app; touch /home/app/x'",
      'docker run --rm -v $N:/etc busybox ls /etc | grep -v passwd | grep -c .',
      'docker run --rm -v $N-etc:/etc busybox grep -c root /etc/passwd',
      'docker run --rm -v $N-none:/etc:nocopy busybox ls /etc/passwd',
      'docker run --rm -v $N-etc:/other busybox grep -c root /other/passwd',
      'docker run --rm --mount type=volume,src=$N-m,dst=/etc,volume-nocopy busybox ls /etc/passwd',
      'docker run --rm -v $N-new:/no/such/yet busybox ls -ld /no/such/yet | cut -c1-10',
    ],
  },
  {
    name: 'volume: read-only',
    steps: [
      "docker run --rm -v $N:/d:ro busybox sh -c 'echo x > /d/f'",
      'docker run --rm --mount type=volume,src=$N,dst=/d,readonly busybox touch /d/f',
      'docker run --rm -v $N:/d:bogus busybox true',
      'docker run --rm -v $N:/d:ro,rw busybox true',
      'docker run --rm -v $N:relative busybox true',
      'docker run --rm -v $N:/ busybox true',
      'docker run --rm -v :/x busybox true',
      'docker run --rm -v $N:/a -v $N-2:/a busybox true',
    ],
  },
  {
    name: 'volume: anonymous ones',
    steps: [
      'docker create --name $N -v /data busybox >/dev/null; docker inspect --format "{{range .Mounts}}{{.Type}} {{len .Name}} {{.Destination}} {{.RW}}{{end}}" $N',
      "docker inspect --format '{{json .Config.Volumes}} {{json .HostConfig.Binds}}' $N",
      'docker rm -v $N',
    ],
  },
  {
    name: 'bind: directories and files of the host',
    files: { 'dir/f': 'from host\n', single: 'single\n' },
    steps: [
      'docker run --rm -v $PWD/dir:/d busybox cat /d/f',
      "docker run --rm -v $PWD/dir:/d busybox sh -c 'echo written > /d/g'; cat dir/g",
      "docker run --rm -v $PWD/dir:/d:ro busybox sh -c 'echo x > /d/h'",
      'docker run --rm -v $PWD/single:/etc/single busybox cat /etc/single',
      'docker run --rm -v $PWD/single:/etc/passwd busybox cat /etc/passwd',
      'docker run --rm -v $PWD/made:/d busybox true; ls -d made',
      'docker run --rm --mount type=bind,src=$PWD/nosuch,dst=/d busybox true',
      'docker run --rm --mount type=bind,src=relative,dst=/d busybox true',
      // crun and runc write it differently.
      'docker run --rm -v $PWD/single:/tmp busybox true 2>&1 | grep -io "not a directory" | head -n 1 | tr N n',
      'docker run --rm -v $PWD/dir:/d:rslave busybox true',
      'docker run --rm -v $PWD/dir:/d:z busybox cat /d/f',
    ],
  },
  {
    name: 'bind: nothing stands in for /proc',
    files: { 'dir/f': 'x\n' },
    steps: [
      'docker run --rm -v $PWD/dir:/proc busybox true 2>&1 | grep -o "cannot be mounted because it is not of type proc"',
      'docker run --rm -v $PWD/dir/f:/proc/version busybox true 2>&1 | grep -o "cannot be mounted because it is inside /proc"',
      'docker run --rm -v $PWD/dir/f:/proc/uptime busybox cat /proc/uptime',
    ],
  },
  {
    name: 'mount: the long form and its errors',
    steps: [
      'docker run --rm --mount type=bogus,dst=/x busybox true',
      'docker run --rm --mount type=volume busybox true',
      'docker run --rm --mount dst=/x,nosuch=1 busybox true',
      "docker run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700 busybox sh -c \"df -k /t | tail -n 1 | tr -s ' ' | cut -d' ' -f2; stat -c %a /t\"",
      'docker run --rm --mount type=tmpfs,src=x,dst=/t busybox true',
      'docker run --rm --mount type=bind,dst=/x busybox true',
      'docker run --rm --mount type=volume,dst=/v busybox ls -d /v',
      'docker run --rm --mount type=volume,src=$N,dst=/v,volume-label=a=b busybox true; docker volume inspect --format "{{json .Labels}}" $N',
    ],
  },
  {
    name: 'tmpfs: size, options and emptiness',
    steps: [
      "docker run --rm --tmpfs /t busybox sh -c \"grep ' /t ' /proc/mounts | cut -d' ' -f1-4\"",
      "docker run --rm --tmpfs /t:size=64k,mode=1777,noexec busybox sh -c \"grep ' /t ' /proc/mounts | cut -d' ' -f1-4; stat -c %a /t\"",
      'docker run --rm --tmpfs /t:bogus busybox true',
      'docker run --rm --tmpfs relative busybox true',
      'docker run --rm --tmpfs /t:size=64k busybox sh -c "dd if=/dev/zero of=/t/f bs=1k count=100 2>&1 | grep -o \'No space left.*\'"',
      'docker run --name $N --tmpfs /t busybox touch /t/f; docker start -a $N; docker inspect --format "{{json .HostConfig.Tmpfs}} {{json .Mounts}}" $N',
    ],
  },
  {
    name: 'tmpfs: the mode is that of the directory below it',
    steps: [
      'for d in /home/app /root /tmp /new; do docker run --rm --tmpfs $d busybox stat -c "%n %a %u" $d; done',
      'docker run --rm --mount type=tmpfs,dst=/root busybox stat -c %a /root',
      'docker run --rm --user app --tmpfs /home/app busybox touch /home/app/file',
      'docker run --rm -v $N:/home --tmpfs /home/new busybox stat -c %a /home/new',
    ],
  },
  {
    name: 'volumes-from',
    steps: [
      {
        run: "docker run --name $N -v $N-v:/v -v /anon busybox sh -c 'echo a > /v/f; echo b > /anon/g'",
        setup: true,
      },
      'docker run --rm --volumes-from $N busybox cat /v/f /anon/g',
      'docker run --rm --volumes-from $N:ro busybox touch /v/x',
      'docker run --rm --volumes-from nosuchcontainer busybox true',
      'docker run --rm --volumes-from $N:bogus busybox true',
    ],
  },
  {
    name: 'volume: tmpfs through the local driver',
    steps: [
      'docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m $N',
      "docker run --rm -v $N:/t busybox sh -c \"df -k /t | tail -n 1 | tr -s ' ' | cut -d' ' -f2\"",
      { run: 'docker volume inspect $N', json: true },
    ],
  },
  {
    name: 'volume: filled when the container is made, not when it is started',
    steps: [
      { run: 'docker create --name $N -w /etc/work -v $N-v:/etc -v /home busybox >/dev/null', setup: true },
      'docker run --rm -v $N-v:/v busybox ls /v',
      'docker run --rm --volumes-from $N busybox stat -c "%n %u %g %a" /etc/passwd /etc/work /home/app',
      'docker volume create -o type=tmpfs -o device=tmpfs $N-t; docker run --rm -v $N-t:/home busybox ls /home',
      'docker volume create -o type=ext4 -o device=/dev/nosuch $N-d; docker create --name $N-2 -v $N-d:/etc busybox 2>/dev/null; docker ps -aq --filter name=$N-2',
    ],
  },
  {
    name: 'volume: one whose data is gone is copied from and counted without harm',
    alone: true,
    steps: [
      'docker volume create $N; docker create --name $N -v $N:/x busybox >/dev/null; rm -r $(docker volume inspect -f {{.Mountpoint}} $N)',
      'docker cp $N:/x - 2>&1',
      "docker system df --format '{{.Type}} {{.Size}}' | grep Local",
      'ln -s nowhere dangling; docker run --rm -v $PWD/dangling:/x busybox true',
    ],
  },
  {
    name: 'volume: what the mount of its source forbids stays forbidden',
    files: { 'dir/f': 'from host\n' },
    steps: [
      { run: 'docker volume create -o type=none -o o=bind,ro,noexec -o device=$PWD/dir $N-b', setup: true },
      {
        run: 'docker volume create -o type=tmpfs -o device=tmpfs -o o=nosuid,nodev,noexec $N-t',
        setup: true,
      },
      'docker run --rm -v $N-b:/b busybox touch /b/f',
      "docker run --rm -v $N-b:/b -v $N-t:/t busybox grep -oE ' /[bt] .* r[ow][a-z,]*' /proc/mounts | cut -d, -f1-4 | sort",
      'docker create --name $N -v $PWD/dir:/b:ro -v $N-v:/n:ro,z busybox >/dev/null; docker create --name $N-2 --volumes-from $N busybox >/dev/null; docker inspect --format \'{{range .Mounts}}{{.Destination}} {{.RW}} "{{.Mode}}"{{println}}{{end}}\' $N-2 | sort',
      'docker run --rm -v $N-v:/x:rshared busybox true',
      'docker volume create -o size=much $N-s',
    ],
  },
  {
    name: 'volume: a path without a slash at its beginning',
    steps: [
      "printf 'FROM busybox\\nRUN mkdir /rel && touch /rel/f\\nVOLUME rel\\n' | docker build -q -t $N - >/dev/null; docker run --rm $N ls /rel",
      // The client takes the letter for a drive, and the whole for a volume without a name.
      'docker run --rm -v a:/x busybox ls -d /a:/x',
    ],
  },
  {
    name: 'volume: what options mount elsewhere is neither counted nor pruned',
    alone: true,
    steps: [
      'docker volume prune -f >/dev/null; docker volume create -o type=tmpfs -o device=tmpfs $N; docker volume create $N-2',
      "docker system df -v --format '{{range .Volumes}}{{println .Name .Size}}{{end}}'",
      'docker volume prune -f --filter label!=nosuch',
      'docker volume ls -q',
    ],
  },
  {
    name: 'volume: two containers at once',
    steps: [
      { run: 'docker run -d --name $N -v $N:/d busybox sleep 300 >/dev/null', setup: true },
      'docker run --rm -v $N:/e busybox touch /e/seen; docker exec $N ls /d',
      'docker volume rm -f $N',
      "docker volume ls --filter dangling=false --filter name=$N --format '{{.Name}}'",
    ],
  },
  {
    name: 'volume: prune',
    alone: true,
    steps: [
      {
        run: 'docker volume prune -f >/dev/null; docker volume create $N >/dev/null; docker create --name $N -v $N-used:/u busybox >/dev/null',
        setup: true,
      },
      'docker volume prune -f',
      { run: 'docker volume ls -q --filter name=$N', sorted: true },
    ],
  },
];
