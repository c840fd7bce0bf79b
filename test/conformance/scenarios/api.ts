import type { Scenario } from '../scenario.ts';

const json = "-H 'Content-Type: application/json'";

/** Attaches by hand, with or without the upgrade headers; prints the status, the headers that matter, the bytes. */
const attachScript = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
upgrade = 'Connection: Upgrade\\r\\nUpgrade: tcp\\r\\n' if sys.argv[3] == 'upgrade' else ''
s.sendall(('POST %s?stream=1&stdin=1&stdout=1 HTTP/1.1\\r\\nHost: d\\r\\nContent-Type: text/plain\\r\\n%sContent-Length: 0\\r\\n\\r\\n' % (sys.argv[2], upgrade)).encode())
d = b''
while b'\\r\\n\\r\\n' not in d: d += s.recv(4096)
s.sendall(b'hi\\n')
while True:
    c = s.recv(4096)
    if not c: break
    d += c
head, body = d.split(b'\\r\\n\\r\\n', 1)
lines = head.split(b'\\r\\n')
wanted = (b'connection', b'upgrade', b'content-type')
print(lines[0].decode(), sorted(l.lower().decode() for l in lines[1:] if l.lower().startswith(wanted)), body)
`;

export const apiScenarios: readonly Scenario[] = [
  {
    name: 'api: versions in the path',
    steps: [
      'api GET /_ping',
      'api GET /v1.41/_ping',
      {
        run: 'api GET /v9.99/info',
        differs: {
          reason: 'the newest version is in the text',
          stdout: /client version 9\.99 is too new\. Maximum supported API version is \d\.\d+[\s\S]*\n400\n$/,
        },
      },
      {
        run: 'api GET /v1.0/info',
        differs: {
          reason: 'the oldest version differs',
          stdout:
            /client version 1\.0 is too old\. Minimum supported API version is 1\.\d+, please upgrade your client to a newer version[\s\S]*\n400\n$/,
        },
      },
      'api GET /vbogus/info',
      'api GET /nosuchpath',
      'api GET /v1.41/nosuchpath',
      'api DELETE /v1.41/info',
      'api POST /v1.41/containers/json',
      {
        run: "curl -s -I --unix-socket $SOCK http://d/_ping | tr -d '\\r' | grep -iE '^(api-version|ostype|docker-experimental|cache-control|pragma|content-type|HTTP)' | sed 's/1.41/<version>/'",
        sorted: true,
        differs: { reason: 'the version and builder differ', stdout: /HTTP\/1\.1 200 OK/ },
      },
    ],
  },
  {
    name: 'api: bodies that are not right',
    steps: [
      {
        run: `api POST /v1.41/containers/create -d '{bad' ${json}`,
        differs: {
          reason:
            'newer versions answer 400 and say invalid JSON; 20.10 answered 500, or took what came before the rubbish',
          stdout: /"message":"[^"][\s\S]*\n400\n$/,
        },
      },
      {
        run: `api POST /v1.41/containers/create ${json} -d ''`,
        differs: {
          reason:
            'newer versions answer 400 and say invalid JSON; 20.10 answered 500, or took what came before the rubbish',
          stdout: /"message":"[^"][\s\S]*\n400\n$/,
        },
      },
      `api POST /v1.41/containers/create -d '{}' ${json}`,
      `api POST /v1.41/containers/create -d '{"Image":"nosuchimage"}' ${json}`,
      {
        run: 'api POST /v1.41/containers/create -d \'{"Image":"busybox"}\' -H \'Content-Type: text/plain\'',
        differs: {
          reason: 'worded as in newer versions',
          stdout:
            /^\{"message":"unsupported Content-Type header \(text\/plain\): must be 'application\/json'"\}\n\n400\n$/,
        },
      },
      {
        run: `api POST /v1.41/containers/create -d '{"Image":7}' ${json}`,
        differs: {
          reason:
            'newer versions answer 400 and say invalid JSON; 20.10 answered 500, or took what came before the rubbish',
          stdout: /"message":"[^"][\s\S]*\n400\n$/,
        },
      },
      {
        run: `api POST /v1.41/containers/create -d '[]' ${json}`,
        differs: {
          reason:
            'newer versions answer 400 and say invalid JSON; 20.10 answered 500, or took what came before the rubbish',
          stdout: /"message":"[^"][\s\S]*\n400\n$/,
        },
      },
      `api POST '/v1.41/containers/create?name=bad/name' -d '{"Image":"busybox"}' ${json}`,
      `api POST /v1.41/containers/create -d '{"Image":"busybox","HostConfig":{"Binds":["x"]}}' ${json}`,
      {
        run: `api POST /v1.41/containers/create -d '{"Image":"busybox"} trailing' ${json}`,
        differs: {
          reason:
            'newer versions answer 400 and say invalid JSON; 20.10 answered 500, or took what came before the rubbish',
          stdout: /"message":"[^"][\s\S]*\n400\n$/,
        },
      },
      {
        run: `api POST /v1.41/networks/create -d '{}' ${json}`,
        differs: { reason: 'worded as in newer versions', stdout: /"message":"invalid name: .*\n400\n$/s },
      },
      {
        run: `api POST /v1.41/volumes/create -d '{bad' ${json}`,
        differs: {
          reason: 'newer versions put invalid JSON before it',
          stdout:
            /^\{"message":"invalid JSON: invalid character 'b' looking for beginning of object key string"\}\n\n400\n$/,
        },
      },
    ],
  },
  {
    name: 'api: a container from birth to death',
    steps: [
      {
        run: `api POST "/v1.41/containers/create?name=$N" -d '{"Image":"busybox","Cmd":["sh","-c","exit 5"]}' ${json}`,
      },
      'api POST /v1.41/containers/$N/start',
      'api POST /v1.41/containers/$N/wait',
      'api POST /v1.41/containers/$N/start; api POST /v1.41/containers/$N/wait',
      'api POST /v1.41/containers/$N/stop',
      'api POST /v1.41/containers/$N/kill',
      'api DELETE /v1.41/containers/$N',
      'api DELETE /v1.41/containers/$N',
      'api GET /v1.41/containers/$N/json',
      'api POST /v1.41/containers/$N/start',
      'api POST /v1.41/containers/$N/wait',
    ],
  },
  {
    name: 'api: states already reached are 304',
    steps: [
      { run: 'docker run -d --name $N busybox sleep 300 >/dev/null', setup: true },
      'api POST /v1.41/containers/$N/start',
      'api POST "/v1.41/containers/$N/stop?t=0"',
      'api POST "/v1.41/containers/$N/stop?t=0"',
      'api POST /v1.41/containers/$N/pause',
      'api POST /v1.41/containers/$N/unpause',
      'api POST "/v1.41/containers/$N/resize?h=1&w=1"',
      'api POST "/v1.41/containers/$N/stop?t=bogus"',
    ],
  },
  {
    name: 'api: statuses of containers that are not there',
    steps: [
      'api GET /v1.41/containers/nosuch/json',
      'api GET /v1.41/containers/nosuch/top',
      'api GET "/v1.41/containers/nosuch/logs?stdout=1"',
      'api GET /v1.41/containers/nosuch/changes',
      'api GET /v1.41/containers/nosuch/export',
      'api GET "/v1.41/containers/nosuch/stats?stream=0"',
      'api POST /v1.41/containers/nosuch/stop',
      'api POST /v1.41/containers/nosuch/kill',
      'api POST /v1.41/containers/nosuch/pause',
      'api POST "/v1.41/containers/nosuch/rename?name=xy"',
      `api POST /v1.41/containers/nosuch/update -d '{}' ${json}`,
      'api POST /v1.41/containers/nosuch/attach',
      `api POST /v1.41/containers/nosuch/exec -d '{"Cmd":["x"]}' ${json}`,
      'api GET "/v1.41/containers/nosuch/archive?path=/"',
      'api DELETE /v1.41/containers/nosuch',
      {
        run: 'api POST /v1.41/containers/nosuch/resize',
        differs: {
          reason: 'newer versions name the parameter',
          stdout: /^\{"message":"invalid resize height \\"\\""\}\n\n400\n$/,
        },
      },
    ],
  },
  {
    name: 'api: statuses of images that are not there',
    steps: [
      {
        run: 'api GET /v1.41/images/nosuch/json',
        differs: {
          reason: 'newer versions say it once',
          stdout: /^\{"message":"no such image: nosuch:latest"\}\n\n404\n$/,
        },
      },
      'api GET /v1.41/images/nosuch/history',
      'api DELETE /v1.41/images/nosuch',
      'api POST "/v1.41/images/nosuch/tag?repo=x"',
      'api POST "/v1.41/images/busybox/tag?repo=UPPER"',
      'api GET /v1.41/images/nosuch/get',
      {
        run: 'api POST /v1.41/images/nosuch/push',
        differs: {
          reason: 'newer versions push without credentials when none are sent',
          stdout: /"error":"An image does not exist locally with the tag: nosuch"\}\n\n200\n$/,
        },
      },
      'api POST "/v1.41/images/create?fromImage=UPPER"',
      {
        run: 'api POST /v1.41/images/create',
        differs: {
          reason: '20.10 tried to fetch from an empty URL',
          stdout: /^\{"message":"one of fromImage and fromSrc is required"\}\n\n400\n$/,
        },
      },
      'api GET "/v1.41/images/json?filters=bogus"',
      'api GET /v1.41/distribution/UPPER/json',
    ],
  },
  {
    name: 'api: statuses of networks and volumes',
    steps: [
      'api GET /v1.41/networks/nosuch',
      'api DELETE /v1.41/networks/nosuch',
      `api POST /v1.41/networks/nosuch/connect -d '{"Container":"x"}' ${json}`,
      `api POST /v1.41/networks/create -d '{"Name":"bridge"}' ${json}`,
      `api POST /v1.41/networks/create -d '{"Name":"'$N'","CheckDuplicate":true}' ${json}`,
      `api POST /v1.41/networks/create -d '{"Name":"'$N'","CheckDuplicate":true}' ${json}`,
      'api DELETE /v1.41/networks/$N',
      'api GET /v1.41/volumes/nosuch',
      'api DELETE /v1.41/volumes/nosuch',
      'api DELETE "/v1.41/volumes/nosuch?force=1"',
      `api POST /v1.41/volumes/create -d '{"Name":"bad name"}' ${json}`,
      {
        run: `api POST /v1.41/volumes/create -d '{"Name":"'$N'","Labels":{"a":"b"}}' ${json} | head -n 1`,
        json: true,
      },
      'api DELETE /v1.41/volumes/$N',
    ],
  },
  {
    name: 'api: container lists',
    steps: [
      {
        run: 'docker run -d --name $N -p 127.0.0.1:18401:80 -v $N:/v -l x=y busybox sleep 300 >/dev/null; curl -s --unix-socket $SOCK -G --data-urlencode \'filters={"name":["\'$N\'"]}\' http://d/v1.41/containers/json',
        json: true,
      },
      'api GET "/v1.41/containers/json?filters=bogus"',
      'api GET "/v1.41/containers/json?limit=bogus"',
      {
        run: 'curl -s --unix-socket $SOCK -G -d all=1 -d size=1 --data-urlencode \'filters={"name":["\'$N\'"]}\' http://d/v1.41/containers/json',
        json: true,
      },
      'curl -s --unix-socket $SOCK -G --data-urlencode \'filters={"name":{"\'$N\'":true}}\' http://d/v1.41/containers/json | grep -c $N',
      'api GET "/v1.41/containers/json?filters=%7B%22nosuch%22%3A%5B%22x%22%5D%7D"',
    ],
  },
  {
    name: 'api: image lists',
    steps: [
      {
        run: 'curl -s --unix-socket $SOCK -G --data-urlencode \'filters={"reference":["busybox"]}\' http://d/v1.41/images/json',
        json: true,
        ignore: ['RepoTags', '*.RepoTags', '*.RepoDigests', '*.Containers', '*.ParentId'],
      },
    ],
  },
  {
    name: 'api: attach hijacks a connection',
    files: { 'attach.py': attachScript },
    steps: [
      { run: "docker run -d -i --name $N busybox sh -c 'read x; echo got $x' >/dev/null", setup: true },
      'python3 attach.py "$SOCK" /v1.41/containers/$N/attach upgrade',
      { run: "docker run -d -i --name $N-2 busybox sh -c 'read x; echo got $x' >/dev/null", setup: true },
      'python3 attach.py "$SOCK" /v1.41/containers/$N-2/attach plain',
    ],
  },
  {
    name: 'api: older versions',
    steps: [
      { run: 'docker create --name $N busybox >/dev/null; api GET /v1.24/containers/$N/json | tail -n 1' },
      {
        run: 'curl -s --unix-socket $SOCK http://d/v1.24/containers/$N/json',
        json: true,
        // Newer versions mask more.
        ignore: ['HostConfig.MaskedPaths'],
      },
      { run: 'curl -s --unix-socket $SOCK http://d/v1.24/version | grep -c ApiVersion' },
      'DOCKER_API_VERSION=1.24 docker ps -a --filter name=$N --format "{{.Names}}"',
      'DOCKER_API_VERSION=1.30 docker run --rm busybox echo old',
    ],
  },
];
