import type { Scenario } from '../scenario.ts';

const build =
  'printf \'FROM busybox\\nRUN echo \'$N\' > /f\\nCMD ["cat","/f"]\\n\' | docker build -q -t $REG/$N:1.0 - >/dev/null';
const dial: [RegExp, string][] = [
  [/: dial tcp[^\n]*/g, ': <dial>'],
  [/proxyconnect [^\n]*/g, '<dial>'],
];
/** Progress of layers comes in no certain order. */
const unordered = { sorted: true };

export const registryScenarios: readonly Scenario[] = [
  {
    name: 'registry: push, pull and run',
    steps: [
      { run: build, setup: true },
      { run: 'docker push $REG/$N:1.0', ...unordered, compare: ['code', 'stderr'] },
      {
        // The size of the manifest, which has sizes of compressed layers in it.
        run: 'docker push $REG/$N:1.0 | tail -n 1',
        replace: [[/size: \d+/, 'size: <bytes>']],
      },
      { run: 'docker push -q $REG/$N:1.0' },
      "docker images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' $REG/$N",
      { run: "docker inspect --format '{{json .RepoDigests}}' $REG/$N:1.0" },
      'docker rmi $REG/$N:1.0 | head -n 2',
      { run: 'docker pull $REG/$N:1.0 | tail -n 3', compare: ['stdout', 'code'] },
      'docker run --rm $REG/$N:1.0',
      'docker pull $REG/$N:1.0',
      'docker pull -q $REG/$N:1.0',
      'docker rmi $REG/$N:1.0 >/dev/null',
      { run: 'docker run --rm $REG/$N:1.0 2>/dev/null' },
      'docker rmi $REG/$N:1.0 >/dev/null',
    ],
  },
  {
    name: 'registry: pull by digest',
    steps: [
      {
        run: `${build}; docker push -q $REG/$N:1.0 >/dev/null; docker inspect --format '{{index .RepoDigests 0}}' $REG/$N:1.0 > ref; docker rmi $REG/$N:1.0 >/dev/null`,
        setup: true,
      },
      'docker pull -q $(cat ref) | sed "s/@.*//"',
      "docker images --format '{{.Repository}}:{{.Tag}}' $REG/$N",
      'docker run --rm $(cat ref)',
      'docker rmi $(cat ref) | head -n 1 | cut -d@ -f1',
      'docker pull $REG/$N@sha256:0123456789012345678901234567890123456789012345678901234567890123',
    ],
  },
  {
    name: 'registry: all tags',
    steps: [
      {
        run: `${build}; docker tag $REG/$N:1.0 $REG/$N:2.0; docker push -q -a $REG/$N; docker rmi $REG/$N:1.0 $REG/$N:2.0 >/dev/null`,
        setup: true,
      },
      'docker pull -aq $REG/$N',
      { run: "docker images --format '{{.Tag}}' $REG/$N", sorted: true },
      'docker rmi $REG/$N:1.0 $REG/$N:2.0 >/dev/null',
      'docker pull -a $REG/$N:1.0',
    ],
  },
  {
    name: 'registry: what is not there',
    steps: [
      'docker pull $REG/$N/nosuch:1',
      'docker pull $REG/$N/nosuch',
      'docker push $REG/$N/nosuch:1',
      'docker push $REG/$N/nosuch',
      'docker run --rm $REG/$N/nosuch:1 true',
      'docker pull -a $REG/$N/nosuch',
    ],
  },
  {
    name: 'registry: nobody listens',
    steps: [
      { run: 'docker pull localhost:1/image:tag', replace: dial },
      {
        run: 'docker tag busybox localhost:1/'.concat('$N:1; docker push localhost:1/$N:1'),
        replace: [...dial, [/^(Waiting|.*: (Preparing|Retrying|Waiting).*)\n/gm, '']],
        compare: ['code'],
      },
      'docker rmi localhost:1/$N:1',
    ],
  },
  {
    name: 'registry: invalid references',
    steps: [
      {
        run: 'docker pull Upper/case',
        differs: {
          reason: 'newer versions take a first part with upper-case letters for a registry',
          code: 1,
          stderr: /Get "https:\/\/upper\/v2\/"/i,
        },
      },
      'docker pull a:b:c',
      'docker pull a@sha256:zz',
      "docker pull ''",
      'docker pull -- -x',
      'docker push UPPER',
      'docker pull $REG/x:-bad',
      'docker pull 0123456789012345678901234567890123456789012345678901234567890123',
    ],
  },
  {
    name: 'registry: skopeo and dockerd understand each other',
    steps: [
      {
        run: `${build}; docker push -q $REG/$N:1.0 >/dev/null; docker rmi $REG/$N:1.0 >/dev/null`,
        setup: true,
      },
      {
        run: 'net skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format oci docker://$REG/$N:1.0 docker://$REG/$N:oci && net skopeo copy -q --src-tls-verify=false --dest-tls-verify=false --format oci --dest-compress-format gzip docker://$REG/$N:1.0 docker://$REG/$N:gz',
        setup: true,
      },
      'docker pull -q $REG/$N:oci && docker run --rm $REG/$N:oci',
      'net skopeo inspect --tls-verify=false docker://$REG/$N:1.0 | grep -c sha256',
      'docker rmi $REG/$N:oci >/dev/null',
    ],
  },
  {
    name: 'registry: a manifest whose layer is gone',
    // The cache of builds would still have the layer.
    alone: true,
    steps: [
      {
        run: `${build}; docker push -q $REG/$N:1.0 >/dev/null; docker rmi $REG/$N:1.0 >/dev/null; docker builder prune -af >/dev/null; m=$(net curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' http://$REG/v2/$N/manifests/1.0); for d in $(echo "$m" | grep -o 'sha256:[0-9a-f]*' | tail -n 1); do net curl -s -X DELETE http://$REG/v2/$N/blobs/$d; done`,
        setup: true,
      },
      { run: 'docker pull $REG/$N:1.0 >/dev/null', compare: ['code'] },
      'docker images -q $REG/$N',
    ],
  },
  {
    name: 'registry: login without a registry that asks for it',
    steps: [
      { run: 'docker login -u u -p p $REG', compare: ['code', 'stdout'] },
      'docker logout $REG',
      { run: 'docker login -u u -p p localhost:1', compare: ['code'] },
    ],
  },
  {
    name: 'registry: what a registry says of a name',
    steps: [
      { run: `${build}; docker push -q $REG/$N:1.0`, setup: true },
      {
        run: 'api GET /v1.41/distribution/$REG/$N:1.0/json',
        // Both compress alike, but not to the same bytes.
        replace: [[/("size":) ?\d+/g, '$1 0']],
      },
      'api GET /v1.41/distribution/$REG/$N/json',
      'api GET /v1.41/distribution/$REG/$N/nosuch:1/json',
      `api GET /v1.41/distribution/$REG/$N@sha256:${'0'.repeat(64)}/json`,
      `api GET /v1.41/distribution/${'0'.repeat(64)}/json`,
      'api GET /v1.41/distribution/Upper/json',
      { run: 'api GET /v1.41/distribution/localhost:1/$N:1/json', replace: dial },
    ],
  },
  {
    name: 'registry: search',
    files: {
      'www/v1/_ping': 'true',
      'www/v1/search': `${JSON.stringify({
        num_results: 3,
        results: [
          {
            name: 'library/found',
            description: 'What was looked for,\nin two lines, which are too long to be shown as a whole',
            star_count: 12,
            is_official: true,
          },
          { name: 'me/found', star_count: 2, is_automated: true },
          { name: 'you/found', description: 'Yours', star_count: 200 },
        ],
      })}\n`,
    },
    steps: [
      {
        run: 'net busybox httpd -f -p 127.0.0.1:7070 -h www >/dev/null 2>&1 & echo $! > pid; until net curl -s http://localhost:7070/v1/_ping >/dev/null; do sleep 0.1; done',
        setup: true,
      },
      'docker search localhost:7070/found',
      'docker search --no-trunc --limit 7 localhost:7070/me/found',
      "docker search -f stars=10 --format '{{json .}}' localhost:7070/found",
      'docker search -f is-official=true localhost:7070/found',
      'docker search -f is-official=false -f stars=1 -f stars=100 localhost:7070/found',
      'api GET "/v1.41/images/search?term=localhost:7070/found"',
      'docker search $REG/found',
      { run: 'docker search localhost:1/found', replace: dial },
      'docker search --limit 101 found',
      'docker search http://found',
      'api GET "/v1.41/images/search?term=found&limit=x"',
      {
        run: 'docker search -f nosuch=1 found',
        differs: {
          reason: 'newer versions begin with a small letter',
          code: 1,
          stderr: /invalid filter 'nosuch'/,
        },
      },
      {
        run: 'docker search -f stars=few found',
        differs: {
          reason: 'newer versions begin with a small letter',
          code: 1,
          stderr: /invalid filter 'stars=few'/,
        },
      },
      { run: 'docker search found', replace: dial, compare: ['code'] },
      'kill $(cat pid)',
    ],
  },
];
