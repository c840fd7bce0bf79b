import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { madeProjects } from '../../../test/compose/made.ts';
import { goldenDirectory, inProject, surroundings } from '../../../test/compose/projects.ts';
import type { Making } from '../../../test/compose/recording-proxy.ts';
import { withApiSocket } from '../api-socket.ts';
import { loadProject } from '../load/load.ts';
import { withoutUnused } from '../load/profiles.ts';
import { findSources } from '../load/sources.ts';
import { containerName } from '../names.ts';
import { planUp } from '../plan/up.ts';
import { sharedServices } from '../shared-services.ts';
import { containerRequest } from './container.ts';
import { networkRequest, volumeRequest } from './resources.ts';

/** What each of them asks the engine to make, beside what docker compose asked for (test/compose/record-made.ts). */
describe('what is asked of the engine is what docker compose asks', () => {
  for (const [name, files] of Object.entries(madeProjects)) {
    test(name, () => {
      const file = join(goldenDirectory, 'made', `${name.replaceAll(' ', '-').toLowerCase()}.json`);
      const { makings } = JSON.parse(readFileSync(file, 'utf8')) as Recorded;
      const refusal = refusals[name];
      if (refusal !== undefined) {
        assert.throws(() => inProject(files, directory => JSON.stringify(makingsOf(directory))), refusal);
        return;
      }
      const ours = inProject(files, directory => JSON.stringify(makingsOf(directory)));
      const { onlyOurs = [], onlyTheirs = [] } = differences[name] ?? {};
      const [ourLines, theirLines] = [lines(JSON.parse(ours) as Making[]), lines(makings)];
      assert.deepEqual(
        { onlyOurs: without(ourLines, theirLines), onlyTheirs: without(theirLines, ourLines) },
        { onlyOurs, onlyTheirs },
      );
    });
  }
});

interface Recorded {
  makings: Making[];
  /** What docker compose said. */
  failure: string[];
}

/** What docker compose passes by, and what it says of other things. */
const refusals: Record<string, { message: string }> = {
  'credentials of Windows': { message: 'services.a.credential_spec is for containers of Windows' },
  'credentials of a registry': { message: 'services.a.credential_spec is for containers of Windows' },
  'credentials from a config': { message: 'services.a.credential_spec is for containers of Windows' },
  'a secret from outside': { message: 'unsupported external secret s' },
  'a config from outside': { message: 'unsupported external config far' },
  'a secret of a driver': { message: 'secrets.s.driver is not supported' },
  'a model': { message: "services.a.models: 'models' support requires Docker Model plugin" },
  'an outer network that is not there': {
    message: 'network absent declared as external, but could not be found',
  },
  'an outer volume that is not there': { message: 'external volume "absent" not found' },
};

const created = 'containers/create demo-';
/** Where Gantry does on purpose what docker compose does not, and by which lines it shows. */
const differences: Record<string, { onlyOurs?: string[]; onlyTheirs?: string[] }> = {
  // It leaves the `:ro` of a service's volumes out.
  mounts: {
    onlyOurs: [`${created}from-1.HostConfig.VolumesFrom[] "<demo-short-1>:ro"`],
    onlyTheirs: [`${created}from-1.HostConfig.VolumesFrom[] "<demo-short-1>"`],
  },
  // It leaves options of ipam out, and says an address in fields that the engine does not read.
  networks: {
    onlyOurs: ['networks/create demo_front.IPAM.Options.a "b"'],
    onlyTheirs: [
      `${created}addresses-1.NetworkingConfig.EndpointsConfig.demo_front.IPAddress "10.93.0.5"`,
      `${created}addresses-1.NetworkingConfig.EndpointsConfig.demo_front.IPv6Gateway "fd93::5"`,
    ],
  },
  // It leaves owner and mode of a file out; here such a file is written into the container.
  'configs and secrets': {
    onlyTheirs: [
      `${created}a-1.HostConfig.Mounts[] {"ReadOnly":true,"Source":"<directory>/f","Target":"/c/own","Type":"bind"}`,
      `${created}a-1.HostConfig.Mounts[] {"ReadOnly":true,"Source":"<directory>/f","Target":"/run/secrets/own","Type":"bind"}`,
    ],
  },
};

function makingsOf(directory: string): Making[] {
  const sources = findSources({
    files: [],
    envFiles: [],
    profiles: [],
    workingDirectory: directory,
    environment: surroundings,
    warn: () => {},
  });
  const loaded = loadProject(sources, {
    homeDirectory: surroundings.HOME,
    keepsLabelFiles: true,
    warn: () => {},
  });
  const project = withApiSocket(withoutUnused(loaded.project), '/var/run/docker.sock', () => ({}));
  const outside = new Map([['made-before', { labels: {} }]]);
  const nothing = { containers: [], networks: outside, volumes: outside };
  const plan = planUp(project, nothing, {
    services: [],
    withDependencies: true,
    recreate: 'changed',
    recreateDependencies: false,
    scale: {},
    removeOrphans: false,
    start: false,
    imageDigests: {},
  });
  return plan.flatMap(({ action }): Making[] => {
    if (action.do === 'create network')
      return [{ path: 'networks/create', query: {}, body: networkRequest(project, action.key) }];
    if (action.do === 'create volume')
      return [{ path: 'volumes/create', query: {}, body: volumeRequest(project, action.key) }];
    if (action.do !== 'create container') return [];
    const { service, number } = action;
    const body = containerRequest(project, service, {
      number,
      name: action.name,
      image: { reference: project.services[service]!.image!, digest: '' },
      sharedContainers: Object.fromEntries(
        sharedServices(project.services[service]!).map(other => [
          other,
          `<${containerName(project, other, 1)}>`,
        ]),
      ),
      inheritedVolumes: new Map(),
      configFiles: sources.files,
      environmentFiles: sources.envFiles,
      workingDirectory: directory,
    });
    return [{ path: 'containers/create', query: { name: action.name }, body }];
  });
}

function lines(makings: readonly Making[]): string[] {
  const all = makings.flatMap(making => [keyOf(making), ...said(making.body, keyOf(making))]);
  return [...new Set(all)].sort();
}

function without(some: readonly string[], others: readonly string[]): string[] {
  return some.filter(line => !others.includes(line));
}

function keyOf({ path, query, body }: Making): string {
  return `${path} ${query['name'] ?? (body as { Name: string }).Name}`;
}

/**
 * A line for each thing it says, without what says nothing and without order. Hashes of what depends on a directory or
 * an id, which are others each time, are left out.
 */
function* said(value: unknown, at: string): Generator<string> {
  if (isNothing(value)) return;
  if (Array.isArray(value)) {
    for (const item of value) yield `${at}[] ${JSON.stringify(ordered(item))}`;
  } else if (typeof value !== 'object') {
    yield `${at} ${JSON.stringify(value)}`;
  } else {
    for (const [key, item] of Object.entries(value as object))
      yield* said(labelled(key, item, at), `${at}.${key}`);
  }
}

function isNothing(value: unknown): boolean {
  return value === '' || value === 0 || value === false || value === null || value === undefined;
}

function ordered(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value as object).filter(
    ([, item]) => !isNothing(item) && JSON.stringify(item) !== '{}',
  );
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, ordered(item)]),
  );
}

function labelled(key: string, value: unknown, at: string): unknown {
  if (key === 'com.docker.compose.depends_on') return value === '' ? '' : (value as string).split(',');
  if (key === 'com.docker.compose.config-hash' && elsewhere.some(name => at.includes(` ${name}.`)))
    return undefined;
  return key === 'com.docker.compose.image' || key === 'com.docker.compose.version' ? undefined : value;
}

/** Containers whose configuration has a directory or an id in it. */
const elsewhere = ['own-name', 'demo-from-1', 'demo-long-1', 'demo-short-1', 'demo-joined-1', 'demo-e-1'];
