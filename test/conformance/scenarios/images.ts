import type { Scenario } from '../scenario.ts';

const small = (tag: string, content = tag): string =>
  `printf 'FROM scratch\\nLABEL content=%s\\n' "${content}" | docker build -q -t ${tag} - >/dev/null`;

export const imagesScenarios: readonly Scenario[] = [
  {
    name: 'tag: and its errors',
    steps: [
      'docker tag busybox $N:a',
      "docker images --format '{{.Repository}}:{{.Tag}}' $N",
      'docker tag busybox $N',
      'docker tag nosuchimage $N:b',
      'docker tag busybox Upper:case',
      'docker tag busybox $N:in/valid',
      'docker tag busybox $N@sha256:0123456789012345678901234567890123456789012345678901234567890123',
      'docker tag busybox localhost:5000/$N/deep:1.0',
      'docker rmi $N:a $N localhost:5000/$N/deep:1.0',
    ],
  },
  {
    name: 'tag: moves to another image',
    steps: [
      { run: `${small('$N:1')}; ${small('$N:2')}; docker tag $N:1 $N:x; docker tag $N:2 $N:x`, setup: true },
      "docker inspect --format '{{.Config.Labels.content}}' $N:x",
      'docker rmi $N:x',
      'docker rmi $N:1 >/dev/null; docker rmi $N:2 >/dev/null',
    ],
  },
  {
    name: 'rmi: what is used cannot be removed',
    steps: [
      { run: `${small('$N:1')}; docker create --name $N $N:1 x >/dev/null`, setup: true },
      'docker rmi $N:1',
      "docker rmi $(docker inspect --format '{{.Id}}' $N:1)",
      'docker rmi -f $N:1 | head -n 1',
      "docker inspect --format '{{.Config.Image}}' $N",
      'docker ps -a --filter name=$N --format "{{.Image}}"',
      'docker rm $N',
    ],
  },
  {
    name: 'rmi: of a running container’s image',
    steps: [
      { run: 'docker tag busybox $N:1; docker run -d --name $N $N:1 sleep 300 >/dev/null', setup: true },
      'docker rmi $N:1',
      'docker tag busybox $N:1; docker kill $N >/dev/null; docker rmi -f $N:1',
    ],
  },
  {
    name: 'rmi: several tags, by id',
    steps: [
      { run: `${small('$N:1')}; docker tag $N:1 $N:2`, setup: true },
      { run: "docker rmi $(docker inspect --format '{{.Id}}' $N:1)" },
      'docker rmi $N:1',
      "docker rmi -f $(docker inspect --format '{{.Id}}' $N:2)",
      'docker rmi $N:2',
      'docker rmi nosuchimage',
      'docker rmi -f nosuchimage',
      'docker rmi sha256:0123456789012345678901234567890123456789012345678901234567890123',
      'docker rmi UPPER',
    ],
  },
  {
    name: 'rmi: a parent with children',
    steps: [
      {
        run: "printf 'FROM busybox\\nRUN echo '$N' > /f\\n' | docker build -q -t $N:parent - >/dev/null; printf 'FROM '$N':parent\\nRUN echo 2 > /g\\n' | docker build -q -t $N:child - >/dev/null",
        setup: true,
      },
      {
        run: 'docker rmi $N:parent',
        differs: {
          reason: 'the image of the child stands alone, with all its layers, as with BuildKit',
          code: 0,
          stdout: /^Untagged: \S+:parent\nDeleted: sha256:<id 1>\n$/,
        },
      },
      'docker run --rm $N:child cat /f /g',
      {
        run: 'docker rmi $N:child | sort',
        differs: {
          reason: 'there are no images of the steps in between',
          code: 0,
          stdout: /^(Deleted: sha256:<id \d>\n)+Untagged: \S+:child\n$/,
        },
      },
    ],
  },
  {
    name: 'images: lists and formats',
    steps: [
      { run: 'docker tag busybox $N:b; docker tag busybox $N:a; docker tag busybox $N/other:a', setup: true },
      { run: 'docker images $N', sorted: true, replace: [[/\d+ (?:days|weeks|months|years) ago/g, '<ago>']] },
      { run: "docker images --format '{{.Repository}} {{.Tag}} {{.Size}}' $N", sorted: true },
      { run: 'docker images -q $N', sorted: true },
      { run: 'docker images -q --no-trunc $N', sorted: true },
      { run: "docker images --digests --format '{{.Digest}}' $N:a" },
      { run: "docker images --filter reference=$N:* --format '{{.Tag}}'", sorted: true },
      { run: "docker images --filter reference='$N/*' --format '{{.Repository}}'" },
      'docker images nosuchrepository',
      'docker images $N:a -q',
      'docker images --filter nosuch=1',
      'docker images --filter dangling=bogus',
      'docker rmi $N:a $N:b $N/other:a',
    ],
  },
  {
    name: 'images: filters by label, before and since',
    steps: [
      {
        // With a layer each: an image that has none of its own is as old as its base, as BuildKit has it.
        run: 'for i in 1 2 3; do printf "FROM busybox\\nLABEL content=$N:$i\\nRUN echo $N-$i > /f\\n" | docker build -q -t $N:$i - >/dev/null; sleep 1.1; done',
        setup: true,
      },
      "docker images --filter label=content=$N:1 --format '{{.Tag}}'",
      "docker images --filter before=$N:3 --format '{{.Repository}}:{{.Tag}}' | grep $N",
      "docker images --filter since=$N:1 --format '{{.Repository}}:{{.Tag}}' | grep $N",
      'docker images --filter before=nosuchimage',
      'for i in 1 2 3; do docker rmi $N:$i >/dev/null; done',
    ],
  },
  {
    name: 'image inspect: whole',
    steps: [
      {
        run: 'docker image inspect busybox',
        json: true,
        ignore: ['RepoTags', 'Metadata.LastTagTime', 'RepoDigests', 'RootFS.Layers.*'],
      },
      {
        run: 'docker image inspect nosuchimage',
        differs: {
          reason: 'newer versions say it once',
          code: 1,
          stdout: /^\[\]\n$/,
          stderr: /^Error response from daemon: no such image: nosuchimage:latest$/m,
        },
      },
      "docker image inspect --format '{{.Id}}' $(docker inspect --format '{{.Id}}' busybox | cut -c8-17)",
    ],
  },
  {
    name: 'history: of a built image',
    steps: [
      {
        run: 'printf \'FROM busybox\\nENV A=1\\nRUN echo hi > /f\\nCOPY Dockerfile /g\\nCMD ["x"]\\n\' > Dockerfile; docker build -q -t $N:1 . >/dev/null',
        setup: true,
      },
      {
        run: 'docker history --no-trunc --format "{{.CreatedBy}}|{{.Size}}|{{.Comment}}" $N:1',
        differs: {
          reason: 'the history of a build is written as BuildKit writes it',
          code: 0,
          stdout:
            /^CMD \["x"\]\|0B\|buildkit\.dockerfile\.v0\nCOPY Dockerfile \/g # buildkit\|67B\|.*\nRUN \/bin\/sh -c echo hi > \/f # buildkit\|3B\|.*\nENV A=1\|0B\|.*\nbusybox\|1\.98MB\|\n$/,
        },
      },
      {
        run: 'docker history -q $N:1',
        differs: {
          reason: 'there are no images of the steps in between',
          code: 0,
          stdout: /^<id \d>\n(<missing>\n){4}$/,
        },
      },
      'docker history -H=false --format "{{.Size}}" $N:1',
      'docker history nosuchimage',
      'docker rmi $N:1 >/dev/null',
    ],
  },
  {
    name: 'save and load',
    steps: [
      {
        run: "printf 'FROM busybox\\nRUN echo saved > /f\\n' | docker build -q -t $N:1 - >/dev/null; docker tag $N:1 $N:2",
        setup: true,
      },
      'docker save $N:1 > s.tar; tar -xOf s.tar manifest.json | tr , "\\n" | grep -o "RepoTags.*"',
      'docker save -o t.tar $N && tar -xOf t.tar repositories | tr , "\\n" | wc -l',
      'docker rmi $N:1 $N:2 >/dev/null; docker load -i s.tar',
      'docker run --rm $N:1 cat /f',
      'docker load < t.tar | sort',
      'docker load -q -i s.tar',
      'docker load -i s.tar',
      'docker rmi $N:1 $N:2 >/dev/null',
      'docker save nosuchimage',
      'echo nonsense | docker load',
      'docker load -i nosuch.tar',
      'head -c 20000 s.tar | docker load',
      'docker save busybox $N:gone > x.tar; wc -c < x.tar',
    ],
  },
  {
    name: 'load: an archive whose layer was changed',
    steps: [
      'docker save busybox > s.tar; mkdir d; tar -xf s.tar -C d; l=$(find d -name layer.tar | head -n 1); [ -n "$l" ] || l=$(find d -size +500k | head -n 1); dd if=/dev/zero of=$l bs=1 seek=700 count=4 conv=notrunc 2>/dev/null; sed -i \'s/busybox:latest/\'$N\':bad/; s/"latest"/"bad"/\' d/manifest.json d/repositories 2>/dev/null; rm d/index.json 2>/dev/null; tar -c -C d . > bad.tar',
      {
        run: 'docker load -i bad.tar >/dev/null 2>&1; docker images -q $N:bad | wc -l',
        differs: {
          reason:
            'dockerd knows the layer by its diff id already and does not look at the bytes; a digest that does not match must never be used here',
          stdout: /^[01]\n$/,
        },
      },
    ],
  },
  {
    name: 'load: archives that climb out',
    steps: [
      {
        run: 'mkdir root d; ln -s / root/esc; tar -C root -cf d/layer.tar esc; echo owned > owned; tar -rPf d/layer.tar --transform \'s,^owned,esc/gantry-load-escape,\' owned; tar -rPf d/layer.tar --transform \'s,^owned,../../../../gantry-load-escape2,\' owned; h=$(sha256sum < d/layer.tar | cut -d\' \' -f1); printf \'{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created_by":"x"}]}\' $h > d/c.json; printf \'[{"Config":"c.json","RepoTags":["\'$N\':1"],"Layers":["layer.tar"]}]\' > d/manifest.json; tar -C d -cf evil.tar .',
        setup: true,
      },
      {
        run: 'docker load -i evil.tar >/dev/null 2>&1; docker images -q $N:1 | wc -l; daemon ls / | grep -c gantry-load',
        compare: ['stdout'],
        differs: {
          reason: 'either refusing or containing it is right; nothing may appear on the host',
          stdout: /^[01]\n0\n$/,
        },
      },
    ],
  },
  {
    name: 'image prune: dangling images only',
    alone: true,
    steps: [
      {
        run: `docker image prune -f >/dev/null; ${small('$N:1', 'prune-one')}; ${small('$N:1', 'prune-two')}`,
        setup: true,
      },
      "docker images -f dangling=true --format '{{.Repository}}:{{.Tag}}'",
      'docker image prune -f',
      'docker images -q $N',
      'docker rmi $N:1 >/dev/null',
    ],
  },
  {
    name: 'images: filters by reference, dangling and until',
    alone: true,
    steps: [
      {
        run: 'for n in one two; do printf "$n $N" > f; tar -c --mtime=@1 f | docker import -c "LABEL $N=$n" - $N/$n:1; docker tag $N/$n:1 $N/sub/$n:1.2; done; printf "new $N" > f; tar -c --mtime=@1 f | docker import -c "LABEL $N=new" - $N/two:1',
        setup: true,
      },
      'docker images --format \'{{.Repository}}:{{.Tag}}\' -f reference="$N/*" | sort',
      'docker images --format \'{{.Repository}}:{{.Tag}}\' -f reference="$N/*/*:1.?" -f label=$N | sort',
      'docker images --format \'{{.Repository}}:{{.Tag}}\' -f reference="$N/[ot]??:1" | sort',
      'docker images --format \'{{.Repository}}:{{.Tag}}\' "$N/*/two"',
      "docker images --format '{{.Repository}}:{{.Tag}}' $N/one:1",
      'docker images -q -f dangling=true -f label=$N | wc -l',
      'docker images -q -f dangling=false -f label=$N=two | wc -l',
      'docker rmi $N/sub/two:1.2 >/dev/null; docker images -q -f dangling=true -f label=$N | wc -l',
      'docker images -f dangling=maybe',
      'docker images -f before=$N/nosuch',
      'docker image prune -f --filter until=24h --filter label=$N',
      'docker image prune -f --filter label!=$N --filter label=$N',
      'docker image prune -f --filter until=yesterday',
      'docker image prune -f --filter before=$N/one:1',
      'docker image prune -af --filter label=$N=two | grep -c -e untagged -e deleted',
      'docker create --name $N $N/one:1 true >/dev/null; docker image prune -af --filter label=$N=new | grep -c untagged',
      'docker image prune -af --filter label=$N | tail -n 1; docker images -q -f label=$N | wc -l',
      'docker rm $N >/dev/null; docker image prune -af --filter label=$N | grep -c untagged',
    ],
  },
];
