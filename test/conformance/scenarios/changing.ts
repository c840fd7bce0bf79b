import type { Scenario } from '../scenario.ts';

/** Lists a tar by kind, mode, owner and name. */
const listTar =
  "tar --numeric-owner -tvf - | awk '{print $1,$2,$6,$7,$8}' | sort | sed 's/^h[^ ]*/hardlink/'";

/** A tree of everything a file system has. */
const tree =
  'mkdir -p src/d/deep src/empty; echo f > src/f; echo x > src/d/x; ln -s x src/d/lx; ln -s ../f src/d/deep/lf; ln -s d src/ld; ln -s nosuch src/dangling; chmod 640 src/f; chmod 2755 src/d; mkfifo src/d/fifo; mknod src/d/dev c 1 3; ln src/d/x src/d/hard; echo o > "src/d/odd\\\\name\\"q"; printf o > "$(printf \'src/d/by\\377te\')"; truncate -s 5M src/d/sparse; touch -d 2001-02-03 src/d/x src/d';

const running = { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true };

const linked = {
  run: "docker run --name $N busybox sh -c 'mkdir -p /dir/sub; echo c > /dir/c; ln -s /dir /ldir; ln -s dir rel; ln -s ../../../../dir up; ln -s /nosuch dang; ln -s /dir/c /lc; ln -s loop loop'",
  setup: true,
};

export const changingScenarios: readonly Scenario[] = [
  {
    name: 'cp: where a file goes',
    steps: [
      running,
      { run: tree, setup: true },
      'docker cp src/f $N:/; docker cp src/f $N:/tmp/; docker cp src/f $N:/tmp/.; docker cp src/f $N:tmp/rel; docker cp src/f $N:; docker exec $N ls / /tmp',
      'docker cp src/f $N:/no/such',
      'docker cp src/f $N:/nosuch/',
      'docker cp src/f/ $N:/',
      'docker cp src/f $N:/etc/passwd/',
      'docker cp src/f $N:/etc/passwd/.',
      "docker cp '' $N:/",
      "docker cp src/f ''",
      'docker cp src/f :/x',
      'docker cp - -',
    ],
  },
  {
    name: 'cp: where a directory goes',
    steps: [
      running,
      { run: tree, setup: true },
      'docker cp src $N:/new; docker exec $N find /new | sort',
      'docker cp src $N:/new; docker exec $N find /new -maxdepth 2 | sort',
      'docker cp src/. $N:/new2; docker exec $N find /new2 -maxdepth 1 | sort',
      'docker cp src/ $N:/new3; docker exec $N find /new3 -maxdepth 1 | sort',
      'docker cp src/empty $N:/tmp/e; docker exec $N ls -A /tmp/e',
      'docker cp src/. $N:/no/such',
      'docker cp src $N:/etc/passwd',
      'docker cp src/. $N:/etc/passwd',
      'docker cp nosuch/ $N:/tmp',
    ],
  },
  {
    name: 'cp: links on the way in',
    steps: [
      running,
      { run: tree, setup: true },
      'docker cp src/ld $N:/tmp/; docker exec $N readlink /tmp/ld',
      'docker cp -L src/ld $N:/tmp/ldd; docker exec $N ls /tmp/ldd | grep -c .',
      'docker cp src/ld/ $N:/tmp/ldt; docker exec $N ls /tmp/ldt | grep -c .',
      'docker cp src/ld/. $N:/tmp/ldt2; docker exec $N ls /tmp/ldt2 | grep -c .',
      'docker cp src/dangling $N:/tmp/; docker exec $N readlink /tmp/dangling',
      'docker cp -L src/dangling $N:/tmp/',
    ],
  },
  {
    name: 'cp: links of the destination',
    files: { f: 'f\n' },
    steps: [
      linked,
      'docker cp f $N:/ldir; docker cp f $N:/rel/f2; docker cp f $N:/up/f3; docker cp $N:/dir - | tar -tf - | sort',
      'docker cp f $N:/dang; docker cp $N:/nosuch - | tar -xOf -',
      'docker cp f $N:/lc; docker cp $N:/dir/c - | tar -xOf -',
      'mkdir d; docker cp d $N:/lc',
      'docker cp f $N:/loop',
      'tar -cf - f | docker cp - $N:/ldir/sub; docker cp $N:/dir/sub - | tar -tf - | sort',
      'tar -cf - f | docker cp - $N:/none',
      'tar -cf - f | docker cp - $N:/lc',
      'tar -czf - f | docker cp - $N:/dir; docker cp - $N:/dir < /dev/null',
    ],
  },
  {
    name: 'cp: links on the way out',
    steps: [
      linked,
      'docker cp $N:/ldir o1; readlink o1',
      'docker cp $N:/ldir/ o2; find o2 | sort',
      'docker cp $N:/ldir/. o3; find o3 | sort',
      'docker cp -L $N:/ldir o4; find o4 | sort',
      'docker cp -L $N:/dang o5',
      'docker cp $N:/dang o5; readlink o5',
      {
        run: 'docker cp $N:/loop x1; docker cp -L $N:/loop x2',
        differs: {
          reason: "dockerd names its function and the path on the host's disk",
          code: 1,
          stderr: /^(?:Error response from daemon: \/loop: too many levels of symbolic links\n){2}$/,
        },
      },
      `docker cp $N:/lc - | ${listTar}; docker cp -L $N:/lc - | ${listTar}`,
      'docker cp -L $N:/ldir - | tar -tf - | sort',
    ],
  },
  {
    name: 'cp: names on the way out',
    steps: [
      linked,
      'docker cp $N:/dir o6/; ls o6',
      'mkdir o7; docker cp $N:/dir o7; docker cp $N:/dir/. o7; find o7 | sort',
      'echo > o8; docker cp $N:/dir o8',
      'docker cp $N:/dir/c o8/',
      'docker cp $N:/dir/c o9/',
      'docker cp $N:/dir/c no/such',
      'docker cp $N:/dir/c .; docker cp $N:dir/c ./c2; cat c c2',
      'docker cp $N:/none .',
      'docker cp $N:/dir/. - | tar -tf - | sort; docker cp $N:/dir/ - | tar -tf - | sort',
    ],
  },
  {
    name: 'cp: all kinds of files, there and back',
    steps: [
      {
        run: `docker create --name $N busybox >/dev/null; ${tree}`,
        setup: true,
      },
      `docker cp src/d $N:/d && docker cp $N:/d - | ${listTar}`,
      'docker cp $N:/d back && cd back && stat -c "%A %h %s %t:%T %N" * && readlink lx deep/lf && stat -c "%a %Y" . x',
      'for i in $(seq 300); do echo $i > src/empty/file-$i; done; docker cp src/empty $N:/many && docker cp $N:/many many && ls many | wc -l && cat many/file-123',
    ],
  },
  {
    name: 'cp: owners',
    files: { f: 'f\n' },
    steps: [
      { run: 'docker create --name $N busybox >/dev/null; chown 55:66 f', setup: true },
      `docker cp -a f $N:/kept && docker cp $N:/kept - | ${listTar}`,
      `docker cp f $N:/plain && docker cp $N:/plain - | ${listTar}`,
      'docker cp $N:/kept o1; docker cp -a $N:/kept o2; stat -c %u:%g o1 o2',
    ],
  },
  {
    name: 'cp: mounts, while it runs and while not',
    files: { f: 'f\n', 'host/h': 'h\n' },
    steps: [
      {
        run: 'docker run -d --name $N -v $N-v:/vol -v $PWD/host:/bind -v /etc:/ro:ro busybox sleep 300 >/dev/null; docker create --name $N-2 -v $N-v:/vol:ro -v $PWD/host:/bind busybox >/dev/null; docker run -d --name $N-3 --read-only -v $N-v:/vol busybox sleep 300 >/dev/null',
        setup: true,
      },
      'docker cp f $N:/vol && docker cp $N-2:/vol - | tar -tf -',
      'docker cp f $N-2:/vol',
      'docker cp f $N-2:/vol/sub',
      'docker cp f $N:/ro',
      'docker cp f $N:/bind/ff && cat host/ff; docker cp f $N-2:/bind/f2 && ls host',
      'docker cp f $N-3:/x',
      'docker cp $N-3:/etc/group - | tar -tf -',
      'docker pause $N >/dev/null; docker cp f $N:/paused && docker cp $N:/paused - | tar -tf -; docker unpause $N >/dev/null',
    ],
  },
  {
    name: 'cp: a bind whose source has gone',
    files: { f: 'f\n', 'gone/x': '' },
    steps: [
      { run: 'docker create --name $N -v $PWD/gone:/g busybox sleep 1 >/dev/null; rm -r gone', setup: true },
      'docker cp f $N:/g && cat gone/f',
      'rm -r gone; docker cp $N:/g - | tar -tf -',
      'rm -r gone; docker start $N; docker wait $N; ls -d gone',
    ],
  },
  {
    name: 'export: owners, modes, links',
    steps: [
      {
        run: "docker run --name $N -v /vol busybox sh -c 'touch /x /vol/y; mkdir /xd; echo a > /xd/a; ln /xd/a /xd/h; ln -s /nowhere /xd/l; mkfifo /xd/p; chmod 4755 /xd/a; chown 12:13 /x; rm -r /home'",
        setup: true,
      },
      `docker export $N | ${listTar} | grep -E ' (x|home)'`,
      'docker export $N | tar -tf - | grep -E "^(vol|\\.dockerenv)" | sort',
      'docker export -o /nosuch/x $N',
      'docker start $N >/dev/null; docker export $N > t.tar; tar -tf t.tar | grep -c "^xd/"',
    ],
  },
  {
    name: 'commit: every instruction it takes',
    steps: [
      { run: 'docker run --name $N -e A=1 -l k=v busybox sh -c "echo x > /x"', setup: true },
      `docker commit -c 'CMD ["a","b"]' -c 'ENTRYPOINT ["/bin/sh","-c"]' -c 'ENV B=2 C="x y"' -c 'EXPOSE 80/udp 81' -c 'LABEL l=m "n o"=p' -c 'ONBUILD RUN x' -c 'USER u:g' -c 'VOLUME /v1 /v2' -c 'WORKDIR /w' -c 'HEALTHCHECK --interval=5s CMD true' -a 'me <a@b>' -m 'mess age' $N $N:full | cut -c1-7`,
      {
        run: "docker inspect -f '{{json .Config}}' $N:full",
        json: true,
        // Of the container's run alone: newer versions leave it out.
        ignore: ['Hostname', 'AttachStdout', 'AttachStderr', 'Image'],
      },
      "docker inspect -f '{{.Author}}|{{.Comment}}' $N:full",
      "docker history --no-trunc --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' $N:full | head -n 1",
      "docker commit -c 'WORKDIR rel' -c 'ENV A=2' -c 'CMD echo $A' $N $N:two | cut -c1-7; docker inspect -f '{{.Config.WorkingDir}} {{json .Config.Env}} {{json .Config.Cmd}}' $N:two; docker run --rm $N:two",
      "docker commit -c 'ENTRYPOINT echo hi' $N $N:e1 | cut -c1-7; docker inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' $N:e1",
      "docker commit -c 'ENTRYPOINT []' $N $N:e2 | cut -c1-7; docker inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' $N:e2",
      "docker commit -c 'CMD []' -c 'HEALTHCHECK NONE' $N $N:e3 | cut -c1-7; docker inspect -f '{{json .Config.Cmd}} {{json .Config.Healthcheck}}' $N:e3",
      "docker commit -c 'ENV D=1\nENV E=2 \\\n F=3' -c CMD $N $N:e4 | cut -c1-7; docker inspect -f '{{json .Config.Env}} {{json .Config.Cmd}}' $N:e4",
      'docker rmi $N:full $N:two $N:e1 $N:e2 $N:e3 $N:e4 >/dev/null',
    ],
  },
  {
    name: 'commit: what it refuses',
    steps: [
      { run: 'docker create --name $N busybox >/dev/null', setup: true },
      ...[
        'SHELL ["/bin/ash","-c"]',
        'STOPSIGNAL SIGTERM',
        'ENV A=1\nstopsignal 9',
        '',
        '# nothing',
        'ARG x',
        'COPY a b',
        'ADD a b',
        'FROM a',
        'MAINTAINER a',
        'ENV',
        'ENV a',
        'EXPOSE x',
        'HEALTHCHECK foo',
        'ONBUILD FROM x',
        'ONBUILD ONBUILD x',
        'LABEL',
        'VOLUME []',
        'USER',
        'WORKDIR',
      ].map(change => `docker commit -c '${change}' $N`),
      'docker commit $N $N:bad:tag',
      'docker commit $N UPPER',
      'api POST "/v1.41/commit?container=nosuch"',
      'api POST /v1.41/commit',
    ],
  },
  {
    name: 'commit: a configuration in the request',
    steps: [
      { run: 'docker create --name $N -e K=v busybox >/dev/null', setup: true },
      `api POST "/v1.41/commit?container=$N&repo=$N&tag=api&comment=c&author=a&changes=ENV%20A=B&pause=0" -H 'Content-Type: application/json' -d '{"Env":["Z=1"],"Cmd":["x"],"Labels":{"q":"w"}}' | tail -n 1`,
      "docker inspect -f '{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Labels}} {{.Comment}} {{.Author}}' $N:api; docker rmi $N:api >/dev/null",
    ],
  },
  {
    name: 'update: processors and processes',
    steps: [
      running,
      { run: 'docker create --name $N-2 busybox >/dev/null', setup: true },
      "docker update --cpu-shares 300 --cpuset-cpus 0 --pids-limit 50 $N $N-2; docker inspect -f '{{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}} {{.HostConfig.PidsLimit}}' $N $N-2",
      'docker exec $N sh -c "cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpuset/cpuset.cpus /sys/fs/cgroup/pids/pids.max"',
      "docker update --pids-limit -1 $N; docker exec $N cat /sys/fs/cgroup/pids/pids.max; docker inspect -f '{{.HostConfig.PidsLimit}}' $N",
      'docker update --cpus 0.5 $N; docker update --cpu-quota 20000 $N; docker update --cpu-period 50000 $N',
      "docker update --cpu-period 50000 --cpu-quota 20000 $N-2; docker inspect -f '{{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}}' $N-2; docker update --cpus 1 $N-2",
      'docker update --cpu-quota 10 $N-2; docker update --cpu-period 10 $N-2; docker update --cpuset-cpus 99 $N; docker update --cpuset-cpus x $N',
      'docker update $N; docker update',
      'docker update --cpu-shares 100 nosuch $N-2 nosuch2',
    ],
  },
  {
    name: 'update: restart policies',
    steps: [
      running,
      "for p in always unless-stopped on-failure:3 no; do docker update --restart $p $N; docker inspect -f '{{json .HostConfig.RestartPolicy}}' $N; done",
      'for p in bogus always:3 on-failure:x; do docker update --restart $p $N; done',
      'docker run -d --rm --name $N-2 busybox sleep 300 >/dev/null; docker update --restart always $N-2; docker update --restart no $N-2',
      "docker run --name $N-3 busybox false; docker update --restart always $N-3; docker inspect -f '{{.State.Status}} {{.RestartCount}}' $N-3",
      "docker run -d --name $N-4 busybox sh -c 'while [ ! -e /go ]; do sleep 0.1; done; exit 3' >/dev/null; docker update --restart on-failure:2 $N-4; docker exec $N-4 touch /go; for i in $(seq 150); do docker inspect -f '{{.State.Status}} {{.RestartCount}}' $N-4 | grep 'exited 2' && break; sleep 0.1; done",
    ],
  },
];
