import type { Scenario } from '../scenario.ts';

const stopped = {
  run: "docker run --name $N busybox sh -c 'mkdir -p /d/sub; echo one > /d/a; echo two > /d/sub/b; ln -s a /d/link; ln -s /etc /d/dirlink; chmod 640 /d/a; chown 1000:50 /d/a'",
  setup: true,
};

export const filesScenarios: readonly Scenario[] = [
  {
    name: 'cp: out of a container',
    steps: [
      stopped,
      'docker cp $N:/d/a . && cat a && stat -c %a a',
      'docker cp $N:/d/a renamed && cat renamed',
      'docker cp $N:/d out && find out | sort',
      'docker cp $N:/d/. flat && ls',
      'docker cp $N:/d/link l1 && readlink l1',
      'docker cp -L $N:/d/link l2 && cat l2',
      'docker cp $N:/d/dirlink/passwd . && grep -c root passwd',
      'docker cp -a $N:/d/a kept && stat -c %u:%g kept',
      'docker cp $N:/d - | tar -tf - | sort',
      'docker cp $N:/no/such .',
      'docker cp $N:/d/a /no/such/dir/',
      'docker cp nosuchcontainer:/x .',
      {
        run: 'docker cp $N:/d/a/ x',
        differs: {
          reason: "dockerd names the path on the host's disk",
          code: 1,
          stderr: /could not find the file \/d\/a\/ in container /,
        },
      },
    ],
  },
  {
    name: 'cp: into a container',
    files: { 'file.txt': 'content\n', 'dir/x': 'x\n', 'dir/deep/y': 'y\n' },
    steps: [
      { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true },
      'docker cp file.txt $N:/tmp && docker exec $N cat /tmp/file.txt',
      'docker cp file.txt $N:/tmp/other && docker exec $N cat /tmp/other',
      'docker cp dir $N:/tmp && docker exec $N find /tmp/dir | sort',
      'docker cp dir/. $N:/root && docker exec $N find /root | sort',
      'docker cp file.txt $N:/no/such/',
      'docker cp file.txt $N:/no/such',
      'docker cp nosuchfile $N:/tmp',
      { run: 'docker cp dir $N:/etc/passwd' },
      'docker cp file.txt $N:/etc/passwd/',
      'tar -c dir | docker cp - $N:/home && docker exec $N ls /home',
      'docker cp file.txt $N:/tmp/dir && docker exec $N ls /tmp/dir',
      'docker exec $N stat -c %u:%g /tmp/file.txt',
      'docker cp a b',
      'docker cp $N:/a $N:/b',
    ],
  },
  {
    name: 'cp: follows the container’s links, not the host’s',
    files: { evil: 'evil\n' },
    steps: [
      {
        run: "docker run --name $N busybox sh -c 'ln -s /../../../../tmp /outside; ln -s /etc/passwd /abs; ln -s ../../../../../../etc/group /up'",
        setup: true,
      },
      'docker cp evil $N:/outside/evil && docker cp $N:/tmp/evil - | tar -tf -',
      'docker cp -L $N:/abs p && head -n 1 p',
      'docker cp -L $N:/up g && head -n 1 g',
    ],
  },
  {
    name: 'cp: a volume and a read-only root',
    files: { f: 'f\n' },
    steps: [
      'docker create --name $N -v $N-v:/data busybox >/dev/null; docker cp f $N:/data/f && docker run --rm -v $N-v:/d busybox cat /d/f',
      'docker create --name $N-ro --read-only busybox >/dev/null; docker cp f $N-ro:/tmp/f',
      'docker create --name $N-vro -v $N-v:/data:ro busybox >/dev/null; docker cp f $N-vro:/data/g',
    ],
  },
  {
    name: 'cp: volumes of a container that does not run',
    files: { f: 'f\n' },
    steps: [
      {
        run: 'docker create --name $N -v $N-v:/data -v $PWD/f:/single busybox >/dev/null; docker cp f $N:/data/',
        setup: true,
      },
      'docker cp $N:/data - | tar -tf -; docker cp $N:/data/. - | tar -tf -; docker cp $N:/data/f - | tar -tf -',
      'docker cp $N:/single out && cat out',
      'docker cp f $N:/data/no/such/',
      'docker run --rm -v $N-v:/d busybox ls /d; docker rm $N >/dev/null; docker volume rm $N-v',
    ],
  },
  {
    name: 'cp: a reader that goes away',
    steps: [
      { run: "docker run --name $N busybox sh -c 'head -c 3000000 /dev/zero > /z'", setup: true },
      'docker export $N | head -c 1000 | wc -c; docker cp $N:/z - | head -c 1000 | wc -c',
      'docker cp $N:/z - | tar -tf -',
    ],
  },
  {
    name: 'cp: the archive API',
    steps: [
      stopped,
      {
        run: "curl -s -D - -o /dev/null --unix-socket $SOCK \"http://d/v1.41/containers/$N/archive?path=/d/a\" | grep -i x-docker-container-path-stat | cut -d' ' -f2 | tr -d '\\r' | base64 -d",
        json: true,
        ignore: ['mtime'],
      },
      'curl -s -I --unix-socket $SOCK "http://d/v1.41/containers/$N/archive?path=/d" | grep -icE "x-docker-container-path-stat|HTTP/1.1 200"',
      'api GET "/v1.41/containers/$N/archive?path=/nosuch"',
      {
        run: 'api GET "/v1.41/containers/$N/archive"',
        differs: {
          reason: 'dockerd forgets a space: pathcannot be empty',
          stdout: /"message":"bad parameter: path cannot be empty"[\s\S]*\n400\n$/,
        },
      },
      {
        run: 'api PUT "/v1.41/containers/$N/archive?path=/" --data-binary \'this is no tar archive\'',
        differs: {
          reason: 'dockerd answers 200 and does nothing; Gantry says that this is no archive',
          stdout: /"message":"[^"]*unexpected (end of archive|EOF)[^"]*"[\s\S]*\n400\n$/,
        },
      },
      'api PUT "/v1.41/containers/$N/archive?path=/nosuch" --data-binary x',
      'api PUT "/v1.41/containers/$N/archive?path=/d/a" --data-binary x',
    ],
  },
  {
    name: 'cp: archives that climb out',
    files: {
      'make.sh':
        "mkdir -p t && cd t && echo x > x && tar -cPf ../up.tar --transform 's,^x,../../../gantry-escaped,' x && tar -cPf ../abs.tar --transform 's,^x,/gantry-abs,' x && ln -s / l && tar -cf ../link.tar l && tar -rf ../link.tar --transform 's,^x,l/gantry-link,' x\n",
    },
    steps: [
      { run: 'sh make.sh; docker create --name $N busybox >/dev/null', setup: true },
      {
        run: 'docker cp - $N:/tmp < up.tar; docker cp $N:/gantry-escaped - | tar -tf -',
        differs: {
          reason: 'dockerd names its helper process and where it unpacked',
          code: 2,
          stdout: /^$/,
          stderr:
            /"\.\.\/\.\.\/\.\.\/gantry-escaped" is outside of [^\n]*\n[^\n]*could not find the file \/gantry-escaped /,
        },
      },
      'docker cp - $N:/tmp < abs.tar; docker cp $N:/tmp/gantry-abs - | tar -tf -',
      'docker cp - $N:/tmp < link.tar; docker cp $N:/gantry-link - | tar -tf -',
      'ls -d /gantry-* 2>/dev/null',
    ],
  },
  {
    name: 'export and import',
    steps: [
      { run: "docker run --name $N busybox sh -c 'echo kept > /kept; ln /kept /hard'", setup: true },
      'docker export $N > e.tar && tar -tf e.tar | grep -E "^(kept|hard|bin/sh|\\.dockerenv|proc/|dev/)$" | sort',
      'docker export -o f.tar $N && tar -xOf f.tar kept',
      'docker export nosuchcontainer',
      'docker import -c \'CMD ["cat","/kept"]\' -c \'ENV A=b\' -m message e.tar $N:imported | cut -c1-7; docker run --rm $N:imported',
      "docker inspect --format '{{json .Config.Cmd}} {{json .Config.Env}} {{.Comment}} {{.Os}} {{.Architecture}}' $N:imported",
      "docker history --format '{{.CreatedBy}}|{{.Comment}}' $N:imported",
      'docker import - < e.tar | cut -c1-7',
      {
        run: 'echo nonsense | docker import - $N:bad',
        differs: {
          reason: 'dockerd names its helper process',
          code: 1,
          stderr: /^Error response from daemon: [^\n]*unexpected (end of archive|EOF)\n$/,
        },
      },
      'docker import nosuch.tar',
      'docker import -c "NOSUCH x" e.tar',
      'docker rmi $N:imported >/dev/null',
    ],
  },
  {
    name: 'commit: a changed container',
    steps: [
      { run: "docker run --name $N -e A=1 busybox sh -c 'echo committed > /f; rm /etc/group'", setup: true },
      "docker commit -m message -a author -c 'CMD [\"cat\", \"/f\"]' -c 'ENV B=2' -c 'EXPOSE 80' -c 'LABEL l=m' -c 'USER app' -c 'WORKDIR /tmp' $N $N:c | cut -c1-7",
      'docker run --rm $N:c; docker run --rm $N:c ls /etc',
      {
        run: 'docker inspect $N:c',
        json: true,
        // Newer versions leave out what only the container's run was about. Ids are numbered as they appear, so
        // that those after a missing one count differently.
        ignore: [
          'Container',
          'ContainerConfig.*',
          'Parent',
          'Config.Hostname',
          'Config.AttachStdout',
          'Config.AttachStderr',
          'Config.Image',
          'RootFS.Layers.*',
        ],
      },
      "docker history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' $N:c | head -n 1",
      'docker commit nosuchcontainer',
      "docker commit -c 'NOSUCH x' $N",
      "docker commit -c 'RUN x' $N",
      'docker commit $N BadName',
      'docker commit $N | cut -c1-7',
      'docker rmi $N:c >/dev/null',
    ],
  },
  {
    name: 'commit: a running container',
    steps: [
      "docker run -d --name $N busybox sh -c 'echo x > /f; sleep 300' >/dev/null; sleep 0.5; docker commit $N $N:1 >/dev/null; docker run --rm $N:1 cat /f; docker inspect --format '{{.State.Status}}' $N; docker rmi $N:1 >/dev/null",
      'docker commit -p=false $N $N:2 >/dev/null && docker rmi $N:2 | head -n 1',
    ],
  },
];
