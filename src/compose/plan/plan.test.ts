import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { composeLabels } from '../labels.ts';
import type { Observed, ObservedContainer } from '../observed.ts';
import { networkHash, serviceHash } from '../print/hash.ts';
import type { Project, Service } from '../project.ts';
import { withSharedContainers } from '../shared-services.ts';
import { type DownOptions, planDown } from './down.ts';
import { showPlan } from './plan.ts';
import { planStart } from './start.ts';
import { divergedVolumes, planUp, type UpOptions } from './up.ts';

const shop = project({
  web: { image: 'web', depends_on: { api: needs('service_started') }, networks: { front: null } },
  api: {
    image: 'api',
    depends_on: { db: needs('service_healthy'), setup: needs('service_completed_successfully') },
    networks: { front: null, back: null },
  },
  setup: { image: 'setup', networks: { back: null } },
  db: { image: 'db', networks: { back: null }, volumes: [{ type: 'volume', source: 'data', target: '/d' }] },
});

describe('up', () => {
  test('nothing is there', () => {
    equalPlan(
      up(shop, nothing()),
      `
 1 create network shop_back
 2 create network shop_front
 3 create volume shop_data
 4 create container shop-db-1 (after 1, 3)
 5 create container shop-setup-1 (after 1)
 6 create container shop-api-1 (after 1, 2)
 7 create container shop-web-1 (after 2)
 8 start container shop-db-1 (after 4)
 9 start container shop-setup-1 (after 5)
10 wait until db is healthy (after 8)
11 wait until setup has ended well (after 9)
12 start container shop-api-1 (after 6, 10, 11)
13 start container shop-web-1 (after 7, 12)
`,
    );
  });

  test('everything is as it should be', () => {
    equalPlan(up(shop, allOf(shop)), 'nothing to do');
  });

  test('only what was asked for, with and without what it needs', () => {
    equalPlan(
      up(shop, nothing(), { services: ['setup'] }),
      `
1 create network shop_back
2 create container shop-setup-1 (after 1)
3 start container shop-setup-1 (after 2)
`,
    );
    equalPlan(
      up(shop, nothing(), { services: ['web'], withDependencies: false }),
      `
1 create network shop_front
2 create container shop-web-1 (after 1)
3 start container shop-web-1 (after 2)
`,
    );
  });

  test('one service changed: its container is replaced, others stay', () => {
    const changed = withService(shop, 'setup', { command: ['other'] });
    equalPlan(
      up(changed, allOf(shop)),
      `
1 create container 000000000001_shop-setup-1 in place of shop-setup-1: its configuration changed
2 stop container shop-setup-1 (after 1)
3 remove container shop-setup-1 (after 2)
4 rename container 000000000001_shop-setup-1 to shop-setup-1 (after 3)
5 start container shop-setup-1 (after 4)
`,
    );
  });

  test('a changed service takes those along that want to be restarted with it', () => {
    const restarting = withService(shop, 'web', {
      depends_on: { api: { ...needs('service_started'), restart: true } },
    });
    const changed = withService(restarting, 'api', { command: ['other'] });
    equalPlan(
      up(changed, allOf(restarting)),
      `
1 create container 000000000003_shop-api-1 in place of shop-api-1: its configuration changed
2 stop container shop-web-1: it depends on api, which is made anew (after 1)
3 stop container shop-api-1 (after 1, 2)
4 remove container shop-api-1 (after 3)
5 rename container 000000000003_shop-api-1 to shop-api-1 (after 4)
6 wait until db is healthy
7 wait until setup has ended well
8 start container shop-api-1 (after 5, 6, 7)
9 start container shop-web-1 (after 2, 8)
`,
    );
  });

  test('a new image, a forced one, and --no-recreate', () => {
    const digests = { imageDigests: { setup: 'sha256:other' } };
    equalPlan(
      up(shop, allOf(shop), { ...digests, start: false }),
      `
1 create container 000000000001_shop-setup-1 in place of shop-setup-1: its image changed
2 stop container shop-setup-1 (after 1)
3 remove container shop-setup-1 (after 2)
4 rename container 000000000001_shop-setup-1 to shop-setup-1 (after 3)
`,
    );
    equalPlan(up(shop, allOf(shop), { ...digests, recreate: 'never' }), 'nothing to do');
    equalPlan(
      up(shop, allOf(shop), { services: ['setup'], recreate: 'always', start: false }),
      `
1 create container 000000000001_shop-setup-1 in place of shop-setup-1: it was asked for
2 stop container shop-setup-1 (after 1)
3 remove container shop-setup-1 (after 2)
4 rename container 000000000001_shop-setup-1 to shop-setup-1 (after 3)
`,
    );
  });

  test('more and fewer of a service; gaps are filled', () => {
    const one = project({ a: { image: 'x' } }, { networks: {} });
    equalPlan(
      up(one, allOf(one), { scale: { a: 3 } }),
      `
1 create container shop-a-2
2 create container shop-a-3
3 start container shop-a-2 (after 1)
4 start container shop-a-3 (after 2)
`,
    );
    const three = allOf(one, { a: 3 });
    equalPlan(
      up(one, three, { scale: { a: 1 } }),
      `
1 stop container shop-a-3: 1 of 3 are wanted
2 remove container shop-a-3: 1 of 3 are wanted (after 1)
3 stop container shop-a-2: 1 of 3 are wanted
4 remove container shop-a-2: 1 of 3 are wanted (after 3)
`,
    );
    const gap = { ...three, containers: three.containers.filter(({ number }) => number !== 2) };
    equalPlan(
      up(one, gap, { scale: { a: 3 } }),
      `
1 create container shop-a-2
2 start container shop-a-2 (after 1)
`,
    );
  });

  test('of too many, the one goes that would have to be made anew', () => {
    const one = project({ a: { image: 'x' } }, { networks: {} });
    const two = allOf(one, { a: 2 });
    two.containers[0]!.configHash = 'old';
    equalPlan(
      up(one, two),
      `
1 stop container shop-a-1: 1 of 2 are wanted
2 remove container shop-a-1: 1 of 2 are wanted (after 1)
`,
    );
  });

  test('one that was left aside when somebody was ended gets its name', () => {
    const aside = (observed: Observed) => {
      const web = observed.containers.find(({ service }) => service === 'web')!;
      web.name = `0123456789ab_${web.name}`;
      return observed;
    };
    equalPlan(
      up(shop, aside(allOf(shop))),
      '1 rename container 0123456789ab_shop-web-1 to shop-web-1: it was left aside',
    );
  });

  test('of an old one and the one that was being put in its place one stays', () => {
    const replacing = (changes: Partial<ObservedContainer>) => {
      const observed = allOf(shop);
      const web = observed.containers.find(({ service }) => service === 'web')!;
      const name = `0123456789ab_${web.name}`;
      observed.containers.push({ ...web, id: 'b'.repeat(64), name, running: false });
      Object.assign(web, changes);
      return observed;
    };
    // It was asked for, and is no more.
    equalPlan(
      up(shop, replacing({})),
      '1 remove container 0123456789ab_shop-web-1: another one has its number',
    );
    equalPlan(
      up(shop, replacing({ configHash: 'other' })),
      `
1 stop container shop-web-1: another one has its number
2 remove container shop-web-1: another one has its number (after 1)
3 rename container 0123456789ab_shop-web-1 to shop-web-1: it was left aside (after 2)
4 start container shop-web-1 (after 3)
`,
    );
    equalPlan(
      up(shop, replacing({}), { recreate: 'always', services: ['web'], withDependencies: false }),
      `
1 remove container 0123456789ab_shop-web-1: another one has its number
2 create container 000000000004_shop-web-1 in place of shop-web-1: it was asked for
3 stop container shop-web-1 (after 2)
4 remove container shop-web-1 (after 3)
5 rename container 000000000004_shop-web-1 to shop-web-1 (after 4)
6 start container shop-web-1 (after 5)
`,
    );
  });

  test('a stopped container is started, an orphan is left alone or removed', () => {
    const there = allOf(shop);
    there.containers.find(({ service }) => service === 'setup')!.running = false;
    there.containers.push(container('old', 1, { running: true }));
    equalPlan(up(shop, there), '1 start container shop-setup-1');
    equalPlan(
      up(shop, there, { removeOrphans: true }),
      `
1 stop container shop-old-1: the project has no such service
2 remove container shop-old-1: the project has no such service (after 1)
3 start container shop-setup-1
`,
    );
  });

  test('what shares the network of a service is made anew with it, and after it', () => {
    const pair = project(
      {
        a: { image: 'a' },
        b: { image: 'b', network_mode: 'service:a', depends_on: { a: needs('service_started') } },
      },
      { networks: {} },
    );
    equalPlan(
      up(withService(pair, 'a', { command: ['other'] }), allOf(pair)),
      `
 1 create container 000000000001_shop-a-1 in place of shop-a-1: its configuration changed
 2 stop container shop-a-1 (after 1)
 3 remove container shop-a-1 (after 2)
 4 rename container 000000000001_shop-a-1 to shop-a-1 (after 3)
 5 create container 000000000002_shop-b-1 in place of shop-b-1: it uses a, which is made anew (after 4)
 6 stop container shop-b-1 (after 5)
 7 remove container shop-b-1 (after 6)
 8 rename container 000000000002_shop-b-1 to shop-b-1 (after 7)
 9 start container shop-a-1 (after 4)
10 start container shop-b-1 (after 8, 9)
`,
    );
  });

  test('external networks and volumes are not made', () => {
    const outside = project(
      { a: { image: 'x', networks: { n: null }, volumes: [{ type: 'volume', source: 'v', target: '/v' }] } },
      { networks: { n: { name: 'n', external: true } }, volumes: { v: { name: 'v', external: true } } },
    );
    const there = {
      ...nothing(),
      networks: new Map([['n', { labels: {} }]]),
      volumes: new Map([['v', { labels: {} }]]),
    };
    equalPlan(up(outside, there, { start: false }), '1 create container shop-a-1');
    assert.throws(() => up(outside, { ...there, networks: new Map() }), /network n declared as external/);
    assert.throws(() => up(outside, { ...there, volumes: new Map() }), /external volume "v" not found/);
  });
});

describe('volumes that are not as the project says', () => {
  function diverged(): Observed {
    const observed = allOf(shop);
    observed.volumes.set('shop_data', {
      labels: { [composeLabels.project]: 'shop', [composeLabels.configHash]: 'other' },
    });
    return observed;
  }

  test('they are found by their hash', () => {
    assert.deepEqual(divergedVolumes(shop, diverged()), ['shop_data']);
    assert.deepEqual(divergedVolumes(shop, allOf(shop)), []);
  });

  test('they stay, unless somebody says that they may go', () => {
    equalPlan(up(shop, diverged(), { services: ['db'] }), 'nothing to do');
    equalPlan(
      up(shop, diverged(), { services: ['db'], replacedVolumes: new Set(['shop_data']) }),
      `
1 stop container shop-db-1: volume shop_data is made anew
2 remove container shop-db-1: volume shop_data is made anew (after 1)
3 remove volume shop_data (after 2)
4 create volume shop_data (after 3)
5 create container shop-db-1 (after 4)
6 start container shop-db-1 (after 5)
`,
    );
  });
});

describe('networks that are not as the project says', () => {
  const changed: Project = {
    ...shop,
    networks: { ...shop.networks, front: { ...shop.networks!['front']!, internal: true } },
  };
  const there = (...more: ObservedContainer[]): Observed => {
    const observed = allOf(shop);
    const { front } = shop.networks!;
    const labels = { [composeLabels.configHash]: networkHash(front!) };
    return {
      ...observed,
      containers: [...observed.containers, ...more],
      networks: new Map(observed.networks).set(front!.name, { labels }),
    };
  };

  test('the containers in them leave, and come back', () => {
    equalPlan(up(shop, there()), 'nothing to do');
    equalPlan(
      up(changed, there()),
      `
 1 stop container shop-api-1: network shop_front is made anew: its configuration changed
 2 disconnect container shop-api-1 from network shop_front (after 1)
 3 stop container shop-web-1: network shop_front is made anew: its configuration changed
 4 disconnect container shop-web-1 from network shop_front (after 3)
 5 remove network shop_front: network shop_front is made anew: its configuration changed (after 2, 4)
 6 create network shop_front (after 5)
 7 connect container shop-api-1 to network shop_front (after 6)
 8 connect container shop-web-1 to network shop_front (after 6)
 9 wait until db is healthy
10 wait until setup has ended well
11 start container shop-api-1 (after 7, 9, 10)
12 start container shop-web-1 (after 8, 11)
`,
    );
  });

  test('those that nobody asked for, too, with what shares their namespaces', () => {
    const shared = withService(changed, 'side', { network_mode: 'service:api' });
    const side = container('side', 1);
    equalPlan(
      up(shared, there(side), { services: ['web'], withDependencies: false }),
      `
 1 stop container shop-api-1: network shop_front is made anew: its configuration changed
 2 disconnect container shop-api-1 from network shop_front (after 1)
 3 stop container shop-web-1: network shop_front is made anew: its configuration changed
 4 disconnect container shop-web-1 from network shop_front (after 3)
 5 remove network shop_front: network shop_front is made anew: its configuration changed (after 2, 4)
 6 create network shop_front (after 5)
 7 connect container shop-web-1 to network shop_front (after 6)
 8 start container shop-web-1 (after 7)
 9 connect container shop-api-1 to network shop_front (after 6)
10 start container shop-api-1 (after 9)
11 stop container shop-side-1: it uses api, which is started again
12 start container shop-side-1 (after 10, 11)
`,
    );
  });

  test('an orphan in one goes first, or is in the way', () => {
    const old = container('old', 1, { networks: ['shop_front'] });
    assert.throws(() => up(changed, there(old)), /container shop-old-1, which is of no service, is in it/);
    const plan = showPlan(up(changed, there(old), { removeOrphans: true }));
    assert.match(plan, /remove network shop_front: .* \(after 2, 4, 6\)/);
  });
});

describe('run', () => {
  const oneOff = {
    service: 'web',
    name: 'shop-web-run-1',
    slug: 'f',
    usesAliases: false,
    interactive: true,
    autoRemove: true,
  };

  test('what the service depends on is ready before its container is made', () => {
    const one = withService(shop, 'web', { depends_on: { db: needs('service_healthy') } });
    equalPlan(
      up(one, nothing(), { services: ['web'], oneOff }),
      `
1 create network shop_back
2 create network shop_front
3 create volume shop_data
4 create container shop-db-1 (after 1, 3)
5 start container shop-db-1 (after 4)
6 wait until db is healthy (after 5)
7 create container shop-web-run-1 to run something as web (after 2, 6)
`,
    );
  });

  test('nothing is asked of the containers of the service', () => {
    const stale = { ...allOf(shop), containers: [container('web', 1, { running: false })] };
    equalPlan(
      up(shop, stale, { services: ['web'], withDependencies: false, oneOff }),
      '1 create container shop-web-run-1 to run something as web',
    );
  });

  test('containers that have done what they were for are orphans', () => {
    const ran = (number: number, ended: boolean) =>
      container('web', number, { name: `run-${number}`, oneOff: true, running: !ended, ended });
    const observed = allOf(shop);
    observed.containers.push(ran(1, true), ran(2, false));
    equalPlan(
      up(shop, observed, { removeOrphans: true }),
      '1 remove container run-1: it has done what it was for',
    );
    equalPlan(up(shop, observed), 'nothing to do');
  });
});

describe('down', () => {
  test('containers before what they depend on, then networks; volumes when asked for', () => {
    equalPlan(
      down(shop, allOf(shop), { volumes: true }),
      `
 1 stop container shop-web-1
 2 remove container shop-web-1 (after 1)
 3 stop container shop-api-1 (after 2)
 4 remove container shop-api-1 (after 2, 3)
 5 stop container shop-db-1 (after 4)
 6 remove container shop-db-1 (after 4, 5)
 7 stop container shop-setup-1 (after 4)
 8 remove container shop-setup-1 (after 4, 7)
 9 remove network shop_back (after 2, 4, 6, 8)
10 remove network shop_front (after 2, 4, 6, 8)
11 remove volume shop_data (after 2, 4, 6, 8)
`,
    );
  });

  test('stopped only', () => {
    equalPlan(
      down(shop, allOf(shop), { remove: false }),
      `
1 stop container shop-web-1
2 stop container shop-api-1 (after 1)
3 stop container shop-db-1 (after 2)
4 stop container shop-setup-1 (after 2)
`,
    );
  });

  test('one service alone, orphans, and a project without files', () => {
    const there = allOf(shop);
    there.containers.push(container('old', 1, { running: false }));
    equalPlan(
      down(shop, there, { services: ['web'] }),
      `
1 stop container shop-web-1
2 remove container shop-web-1 (after 1)
`,
    );
    assert.doesNotMatch(showPlan(down(shop, there)), /old/);
    assert.match(showPlan(down(shop, there, { removeOrphans: true })), /remove container shop-old-1/);
    assert.match(showPlan(planDown('shop', undefined, there, downDefaults)), /remove container shop-old-1/);
  });
});

describe('start', () => {
  test('what is there, when what it depends on is ready', () => {
    const stopped: Observed = allOf(shop);
    stopped.containers = stopped.containers.map(one => ({ ...one, running: one.service === 'setup' }));
    equalPlan(
      planStart(shop, stopped, ['api']),
      `
1 start container shop-db-1
2 wait until db is healthy (after 1)
3 wait until setup has ended well
4 start container shop-api-1 (after 2, 3)
`,
    );
    equalPlan(planStart(shop, allOf(shop), []), 'nothing to do');
    equalPlan(planStart(shop, nothing(), []), 'nothing to do');
  });
});

function needs(condition: 'service_started' | 'service_healthy' | 'service_completed_successfully') {
  return { condition, required: true } as const;
}

function project(services: Record<string, Service>, more: Partial<Project> = {}): Project {
  return {
    name: 'shop',
    services,
    networks: { front: { name: 'shop_front' }, back: { name: 'shop_back' } },
    volumes: { data: { name: 'shop_data' } },
    ...more,
  };
}

function withService(of: Project, name: string, change: Partial<Service>): Project {
  return { ...of, services: { ...of.services, [name]: { ...of.services[name], ...change } } };
}

function nothing(): Observed {
  return { containers: [], networks: new Map(), volumes: new Map() };
}

let nextId = 0;

function container(
  service: string,
  number: number,
  more: Partial<ObservedContainer> = {},
): ObservedContainer {
  nextId++;
  return {
    id: String(nextId).padStart(12, '0').padEnd(64, 'f'),
    name: `shop-${service}-${number}`,
    service,
    number,
    image: 'busybox',
    oneOff: false,
    ended: false,
    configHash: '',
    imageDigest: 'sha256:same',
    running: true,
    paused: false,
    networks: [],
    ...more,
  };
}

/** What there is after a project was brought up. */
function allOf(of: Project, scale: Record<string, number> = {}): Observed {
  nextId = 0;
  const order = Object.keys(of.services).sort((a, b) => rank(of, a) - rank(of, b));
  const firstIds: Record<string, string> = {};
  const containers = order.flatMap(name => {
    const service = of.services[name]!;
    const networks = Object.keys(service.networks ?? {}).map(key => of.networks![key]!.name);
    const configHash = serviceHash(withSharedContainers(service, firstIds));
    const made = Array.from({ length: scale[name] ?? 1 }, (_, at) =>
      container(name, at + 1, { configHash, networks }),
    );
    firstIds[name] = made[0]!.id;
    return made;
  });
  const labels = { [composeLabels.project]: of.name };
  const resources = (all: Record<string, { name: string }> = {}) =>
    new Map(
      Object.values(all)
        .map(({ name }) => [name, { labels }] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  return { containers, networks: resources(of.networks), volumes: resources(of.volumes) };
}

/** The longest way down through what a service depends on: ids in tests follow it, so that they can be read. */
function rank(of: Project, name: string): number {
  const below = Object.keys(of.services[name]?.depends_on ?? {}).map(other => rank(of, other) + 1);
  return Math.max(0, ...below);
}

function up(of: Project, observed: Observed, options: Partial<UpOptions> = {}) {
  return planUp(of, observed, {
    services: [],
    withDependencies: true,
    recreate: 'changed',
    recreateDependencies: false,
    scale: {},
    removeOrphans: false,
    start: true,
    imageDigests: {},
    ...options,
  });
}

const downDefaults: DownOptions = { services: [], remove: true, removeOrphans: false, volumes: false };

function down(of: Project, observed: Observed, options: Partial<DownOptions> = {}) {
  return planDown('shop', of, observed, { ...downDefaults, ...options });
}

function equalPlan(plan: ReturnType<typeof planUp>, expected: string): void {
  assert.equal(showPlan(plan).trimEnd(), expected.replace(/^\n/, '').trimEnd());
}
