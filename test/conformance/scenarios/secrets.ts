import type { DetailedStep, Scenario } from '../scenario.ts';

const json = "-H 'Content-Type: application/json'";

/** Ids are numbers to the base 36; swarm tells its errors by rpc. */
const plain: [RegExp, string][] = [
  [/\b[0-9a-z]{25}\b/g, '<id>'],
  [/rpc error: code = \w+ desc = /g, ''],
  [/\d{4}-\d\d-\d\d \S+ \+0000 utc/g, '<time>'],
  [/,?"Version":\{"Index":\d+\}/g, ''],
];

function said(run: string, more: Partial<DetailedStep> = {}): DetailedStep {
  return { run, replace: plain, ...more };
}

/** dockerd has secrets in a swarm only; Gantry has no swarm and says so. */
const begin: DetailedStep = {
  run: "docker swarm init --advertise-addr 127.0.0.1 >/dev/null 2>told || grep -qx 'Error response from daemon: swarm mode is not supported' told",
  setup: true,
};
const end =
  'docker swarm leave --force >/dev/null 2>&1; docker network rm docker_gwbridge >/dev/null 2>&1; true';

export const secretsScenarios: readonly Scenario[] = [
  {
    name: 'secret: create, ls, inspect, rm',
    alone: true,
    files: { value: 'sesame' },
    steps: [
      begin,
      said('docker secret create db value'),
      said('printf sesame | docker secret create --label a=b --label c key -'),
      said('docker secret create DB value'),
      said('docker secret create ../x value'),
      said("docker secret create '' value"),
      said('docker secret create x. value'),
      said('docker secret create x /dev/null'),
      said('docker secret create x nosuchfile'),
      said('docker secret create x'),
      said('head -c 512000 /dev/zero | docker secret create x -'),
      said('docker secret ls --format \'{{.ID}} {{.Name}} {{.Driver}} {{.Label "a"}}\''),
      said('docker secret ls'),
      said('docker secret ls --filter label=a=b'),
      said("docker secret ls --filter name=k --format '{{.Name}}'"),
      said("docker secret ls --filter names=k --format '{{.Name}}'"),
      said("docker secret ls --filter label=a=c --format '{{.Name}}'"),
      said('docker secret ls --filter nosuch=1'),
      said('docker secret inspect key nosuch', { json: true, ignore: ['*.Version.Index'] }),
      said('docker secret inspect --pretty key'),
      said("docker secret inspect --format '{{.Spec.Name}} {{.Spec.Labels}}' db key"),
      said("docker inspect --type secret --format '{{.Spec.Name}}' $(docker secret ls -q --filter name=db)"),
      said('docker inspect --type secret nosuch'),
      said('docker secret rm db key nosuch'),
      end,
    ],
  },
  {
    name: 'secret: the API',
    alone: true,
    steps: [
      begin,
      said(`api POST /secrets/create ${json} -d '{}'`),
      said(`api POST /secrets/create ${json} -d '{"Name":"db"}'`),
      ...['%%%', 'c2V', 'c2Vz=', 'c2V=z', 'c2==x', 'c2=x', 'c===', 'c2='].map(data =>
        said(`api POST /secrets/create ${json} -d '{"Name":"db","Data":"${data}"}'`),
      ),
      said(`api POST /secrets/create ${json} -d '{"Name":"db","Data":"c2VzYW1l","Labels":{"a":"b"}}'`),
      said(`api POST /secrets/create ${json} -d '{"Name":"dB","Data":"c2VzYW1l"}'`),
      said('api GET /secrets'),
      said('api GET /secrets/db'),
      said('api GET /secrets/d'),
      said('api GET "/secrets/$(docker secret ls -q | cut -c1-9)"'),
      said('api DELETE /secrets/nosuch'),
      said(`api POST /secrets/db/update ${json} -d '{"Name":"db"}'`),
      said(`api POST '/secrets/db/update?version=1' ${json} -d '{"Name":"other"}'`),
      said(`api POST '/secrets/db/update?version=1' ${json} -d '{"Name":"db","Data":"b3RoZXI="}'`),
      said(`api POST '/secrets/nosuch/update?version=1' ${json} -d '{"Name":"db"}'`),
      said(
        `v=$(docker secret inspect -f '{{.Version.Index}}' db); api POST "/secrets/$(docker secret ls -q)/update?version=$v" ${json} -d '{"Name":"db","Labels":{"x":"y"}}'`,
      ),
      said('api GET /secrets/db'),
      said('api DELETE /secrets/db'),
      said('api GET /secrets/db'),
      said('api GET /secrets'),
      end,
    ],
  },
];
