import type { DetailedStep, Scenario } from '../scenario.ts';

/** Everything from the scenario's own beginning to now. */
const past = '--since $(cat since) --until $(date +%s.%N)';
const begin = 'date +%s.%N > since';
const short = "--format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'";
/** What an event says besides who and when. */
const inFull: Pick<DetailedStep, 'json' | 'ignore'> = {
  json: true,
  ignore: ['execDuration', 'time', 'timeNano', 'execID'],
};

export const eventsScenarios: readonly Scenario[] = [
  {
    name: 'events: every field, containers',
    steps: [
      {
        run: `${begin}; docker create --name $N -l tier=web busybox sleep 300 >/dev/null; docker start $N >/dev/null; docker exec $N true; docker top $N >/dev/null; docker pause $N >/dev/null; docker unpause $N >/dev/null; echo x > f; docker cp -q f $N:/f; docker cp -q $N:/f g; docker export $N >/dev/null; docker commit $N $N:1 >/dev/null; docker update --cpu-shares 512 $N >/dev/null; docker rename $N $N-b; docker kill -s USR2 $N-b >/dev/null; docker restart -t 0 $N-b >/dev/null; docker stop -t 0 $N-b >/dev/null; docker wait $N-b >/dev/null; docker rm -v $N-b >/dev/null; docker rmi $N:1 >/dev/null`,
        setup: true,
      },
      // Whoever waits for an end may hear of it before it is published by dockerd: the order is chance.
      {
        run: `docker events ${past} --filter container=$N --filter type=container --format '{{json .}}' | grep -v '"commit"' | sort`,
        ...inFull,
      },
      // dockerd lets the processes go on when the image is made; here they go on as soon as its files are taken.
      {
        run: `docker events ${past} --filter container=$N --filter event=commit --format '{{json .}}'`,
        ...inFull,
      },
      {
        run: `docker events ${past} --filter label=tier=web --filter type=image --format '{{json .}}'`,
        ...inFull,
      },
    ],
  },
  {
    name: 'events: every field, networks and volumes',
    steps: [
      {
        run: `${begin}; docker network create --label a=b $N-net >/dev/null; docker volume create --label a=b $N-made >/dev/null; docker run -d --name $N --network $N-net -v $N-vol:/v:ro -v /etc:/e:ro --tmpfs /t busybox sleep 300 >/dev/null; docker network disconnect $N-net $N; docker rm -f $N >/dev/null; docker network rm $N-net >/dev/null; docker volume rm $N-vol $N-made >/dev/null`,
        setup: true,
      },
      // dockerd 20.10 says twice that a running container was disconnected.
      `docker events ${past} --filter network=$N-net --format '{{.Type}} {{.Action}} {{json .Actor}}' | uniq`,
      {
        run: `docker events ${past} --filter volume=$N-vol --filter volume=$N-made --format '{{json .}}'`,
        ...inFull,
      },
      `docker events ${past} --filter container=$N --filter type=container ${short}`,
    ],
  },
  {
    name: 'events: the end of a container comes before what it held',
    steps: [
      {
        run: `${begin}; docker run --name $N -v $N:/v --network bridge busybox true; docker events ${past} --format '{{.Action}} {{.Actor.Attributes.container}}{{.Actor.ID}}' | grep $(docker inspect --format {{.Id}} $N) | cut -d' ' -f1 | grep -E 'die|disconnect|unmount'`,
      },
    ],
  },
  {
    name: 'events: every field, images',
    alone: true,
    files: { Dockerfile: 'FROM busybox\nLABEL made=here\n', file: 'x' },
    steps: [
      {
        run: `docker image prune -f >/dev/null; ${begin}; docker tag busybox $N:1; docker tag $N:1 $REG/$N:1; docker push -q $REG/$N:1 >/dev/null; docker save $N:1 busybox > i.tar; docker rmi $N:1 >/dev/null; docker load -q -i i.tar >/dev/null; docker pull -q $REG/$N:1 >/dev/null; docker rmi $REG/$N:1 >/dev/null; docker pull -qa $REG/$N >/dev/null; DOCKER_BUILDKIT=0 docker build -q -t $N:built -t $N:twice . >/dev/null; tar c file | docker import - $N:imported >/dev/null; tar c file | docker import - >/dev/null; docker rmi $N:1 $REG/$N:1 $N:built $N:twice $N:imported >/dev/null; docker image prune -f >/dev/null`,
        setup: true,
      },
      {
        run: `docker events ${past} --filter type=image --format '{{json .}}'`,
        ...inFull,
        ignore: [...inFull.ignore!, 'reclaimed'],
      },
      `docker events ${past} --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}} {{.ID}}'`,
    ],
  },
  {
    name: 'events: filters',
    steps: [
      {
        run: `${begin}; docker run -d --name $N-one -l tier=web -l x=y busybox sleep 300 >/dev/null; docker create --name $N-two -l tier=db busybox >/dev/null; docker exec $N-one sh -c :; docker rm -f $N-one >/dev/null; docker network create $N-net >/dev/null; docker volume create $N-vol >/dev/null`,
        setup: true,
      },
      ...[
        'type=container',
        'type=network',
        'type=container --filter type=network',
        'type=bogus',
        'event=create',
        'event=create --filter event=die',
        'event=exec_create',
        'event=exec_create: --filter event=die',
        'event=crea',
        'event=',
        'label=tier',
        'label=tier=web',
        'label=tier=web --filter label=x=y',
        'label=tier=web --filter label=tier=db',
        'label=nosuch',
        'image=busybox',
        'image=busybox:latest',
        'image=busy',
        'image=nosuch',
        'container=nosuch',
        'daemon=nosuch',
        'scope=local',
        'scope=swarm',
        'scope=local --filter scope=swarm',
        'node=$N-two',
        'plugin=$N',
        'secret=nosuch',
        'nosuch=x',
      ].map(filter => ({
        run: `docker events ${past} --filter ${filter} ${short} | grep -E "container .* $N|$N" | sort | uniq -c`,
      })),
      `docker events ${past} --filter container=$N-one --filter type=container ${short}`,
      `docker events ${past} --filter container=$(docker inspect --format {{.Id}} $N-two) ${short}`,
      `docker events ${past} --filter container=$(docker inspect --format {{.Id}} $N-two | cut -c1-6) ${short}`,
      `docker events ${past} --filter container=$N-one --filter container=$N-two --filter event=create ${short}`,
      `docker events ${past} --filter network=$N-net ${short}`,
      `docker events ${past} --filter network=$N-n ${short}`,
      `docker events ${past} --filter volume=$N-vol ${short}`,
      'docker events --filter nonsense',
      'docker events --filter =x --since 1 --until 2',
    ],
  },
  {
    name: 'events: times in every form',
    steps: [
      { run: 'docker create --name $N busybox >/dev/null; sleep 1.1', setup: true },
      ...[
        '--since $(($(date +%s) - 600))',
        '--since $(($(date +%s) - 600)).5',
        '--since $(($(date +%s) - 600)).123456789',
        '--since $(date -u -d -10min +%Y-%m-%dT%H:%M:%SZ)',
        '--since $(date -u -d -10min +%Y-%m-%dT%H:%M:%S.%NZ)',
        '--since $(date -u -d -10min +%Y-%m-%dT%H:%M:%S)',
        '--since $(date -u -d -10min +%Y-%m-%dT%H:%M)',
        '--since $(date -u -d -2hours +%Y-%m-%dT%H)',
        '--since $(date -u -d yesterday +%Y-%m-%d)',
        '--since $(date -u -d -10min +%Y-%m-%dT%H:%M:%S)+00:00',
        '--since 10m',
        '--since 1h30m',
        '--since 600s',
        '--since 0',
        '--since 1',
        '--since -600',
      ].map(
        since => `docker events ${since} --until $(date +%s.%N) --filter container=$N --format {{.Action}}`,
      ),
      ...[
        '$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)',
        '$(date -u +%Y-%m-%dT%H:%M:%S.%N)',
        '$(date +%s)',
        '0s',
        '1h',
      ].map(until => ({
        run: `docker events --since 30m --until ${until} --filter container=$N --format {{.Action}}`,
        replace: [[/time \(\d+\)/g, 'time (<time>)'] as [RegExp, string]],
      })),
      'docker events --until 1h --filter container=$N --format {{.Action}}',
      'docker events --until $(date +%s) --filter container=$N --format {{.Action}}',
      'docker events --since nonsense --until 1',
      'docker events --since 1 --until nonsense',
      'docker events --since 10 --until 5',
      'docker events --since 2020-13-45 --until 5',
      'docker events --since 10x --until 5',
    ],
  },
  {
    name: 'events: formats',
    steps: [
      {
        run: `${begin}; docker create --name $N -l b=2 -l a=1 busybox >/dev/null; docker rm $N >/dev/null`,
        setup: true,
      },
      {
        run: `docker events ${past} --filter container=$N`,
        replace: [[/^\S+(?= container)/gm, '<time>']],
      },
      { run: `docker events ${past} --filter container=$N --format json`, ...inFull },
      { run: `docker events ${past} --filter container=$N --format '{{json .}}'`, ...inFull },
      `docker events ${past} --filter container=$N --format '{{.Status}} {{.From}} {{.ID}} {{.Type}} {{.Action}} {{.Actor.ID}} {{.Scope}} {{json .Actor.Attributes}}'`,
      `docker events ${past} --filter container=$N --format '{{.Actor.Attributes.nosuch}}'`,
      `docker events ${past} --filter container=$N --format '{{.Nosuch}}'`,
      `docker events ${past} --filter container=$N --format '{{.Bad'`,
      `docker events ${past} --filter container=$N --format 'table {{.Action}}'`,
    ],
  },
  {
    name: 'events: replayed and then followed',
    steps: [
      {
        run: `${begin}; docker create --name $N busybox >/dev/null; docker events --since $(cat since) --filter container=$N --format '{{.Action}}' > seen & events=$!; until grep -qs create seen; do sleep 0.1; done; docker rename $N $N-b; docker rm $N-b >/dev/null; until grep -qs destroy seen; do sleep 0.1; done; kill $events; cat seen`,
      },
      {
        run: `docker events --filter container=$N-c --format '{{.Action}}' > seen & events=$!; docker events --filter event=destroy --filter container=$N-c --format '{{.Action}} only' > other & others=$!; until docker create --name $N-c busybox >/dev/null && docker rm $N-c >/dev/null && grep -qs only other && grep -qs create seen && grep -qs destroy seen; do sleep 0.1; done; kill $events $others; sort -u seen other`,
      },
    ],
  },
];
