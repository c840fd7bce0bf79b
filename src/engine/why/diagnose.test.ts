import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { namesComplainedOf } from './collect-names.ts';
import { diagnose } from './diagnose.ts';
import type { Evidence, HealthEvidence, NameEvidence, NetworkEvidence } from './evidence.ts';
import { parseSocketTable } from './sockets.ts';

const startedAtMs = 1_000_000;

const network: NetworkEvidence = {
  mode: 'bridge',
  address: '172.17.0.2',
  exposed: [],
  published: [{ containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080 }],
  sockets: [{ protocol: 'tcp', address: '0.0.0.0', port: 80 }],
  firewallMended: false,
  attempts: [{ port: 80, outcome: 'is accepted' }],
};

const names: NameEvidence = {
  servers: ['127.0.0.11'],
  embedded: true,
  embeddedAnswers: true,
  leadsOut: true,
  upstreams: [],
  lookups: [],
  containers: {},
  networks: ['app'],
};

/** A container that runs, with nothing wrong about it. */
const healthy: Evidence = {
  nowMs: startedAtMs + 60_000,
  name: 'web',
  image: 'busybox',
  status: 'running',
  exitCode: 0,
  error: '',
  startedAtMs,
  finishedAtMs: 0,
  restartCount: 0,
  manuallyStopped: false,
  command: ['httpd', '-f'],
  tty: false,
  openStdin: false,
  lastLines: ['listening'],
  memory: { oomKilled: false, oomKills: 0, limitBytes: 0 },
  network,
  disks: [
    {
      what: 'The disk of the data-root',
      path: '/var/lib/gantry',
      kind: 'disk',
      totalBytes: 100 * 2 ** 30,
      freeBytes: 50 * 2 ** 30,
      totalInodes: 1000,
      freeInodes: 900,
    },
  ],
  names,
  identity: { uid: 0, gid: 0, groups: [0], overridesModes: true, hostOwner: '0:0' },
  mounts: [],
  readonlyRoot: false,
};

const ended: Evidence = {
  ...healthy,
  status: 'exited',
  exitCode: 1,
  finishedAtMs: startedAtMs + 300,
  lastLines: [],
};

/** What is found, as text: what stands before the first `>` was seen, what stands behind mends it. */
function told(changes: Partial<Evidence>, base = healthy): string {
  return diagnose({ ...base, ...changes })
    .findings.map(({ severity, title, evidence, mend }) =>
      [`${severity}: ${title}`, ...evidence.map(line => `  ${line}`), ...mend.map(line => `> ${line}`)].join(
        '\n',
      ),
    )
    .join('\n');
}

describe('why a container does not work', () => {
  test('a healthy one: nothing is found, and it says what was looked at', () => {
    assert.deepEqual(diagnose(healthy), {
      findings: [],
      checked: ['memory', 'space', 'permissions', 'names', 'ports'],
    });
  });

  test('a program that is not in the image', () => {
    const error = 'exec: "httpdd": executable file not found in $PATH';
    assert.equal(
      told(
        { status: 'created', error, exitCode: 127, command: ['httpdd', '-f'] },
        { ...ended, startedAtMs: 0 },
      ),
      `problem: The program httpdd is not in the image.
  command: httpdd -f
  it did not start: exec: "httpdd": executable file not found in $PATH
> gantry update web -- COMMAND [ARG...]    # with a program that is there
> gantry run --rm --entrypoint ls busybox /usr/local/bin /usr/bin /bin    # which are there`,
    );
  });

  test('a scheduled one between its runs: a note, unless the last one failed', () => {
    const schedule = { cron: '@daily', paused: false, nextMs: 86_400_000 };
    const waits = `note: It waits for its schedule.
  schedule: @daily
  it is due next at 1970-01-02T00:00:00.000Z
> gantry schedule run web    # starts it now`;
    assert.equal(told({ schedule, exitCode: 0 }, ended), waits);
    assert.equal(told({ schedule, exitCode: 0, status: 'created', startedAtMs: 0 }, ended), waits);
    assert.match(told({ schedule }, ended), /^problem: .*exit code 1/s);
    assert.match(
      told({ schedule: { cron: '@daily', paused: true }, exitCode: 0 }, ended),
      /^note: Its schedule is paused\.\n.*\n> gantry schedule resume web\n/s,
    );
  });

  test('a secret that is gone', () => {
    assert.equal(
      told({ status: 'created', error: 'secret not found: db', exitCode: 128 }, { ...ended, startedAtMs: 0 }),
      `problem: The secret db does not exist.
  command: httpd -f
  it did not start: secret not found: db
> gantry secret create db FILE
> gantry start web`,
    );
  });

  test('a program that its shell does not find', () => {
    assert.match(
      told({ exitCode: 127, command: ['sh', '-c', 'nosuch'], lastLines: ['sh: nosuch: not found'] }, ended),
      /^problem: The program nosuch is not in the image\.\n {2}command: sh -c nosuch\n {2}it ended with exit code 127, 0\.3 s/,
    );
  });

  for (const [line, name] of [
    ['sh: DATABASE_URL: parameter not set', 'DATABASE_URL'],
    ['Error: environment variable API_KEY is not set', 'API_KEY'],
    ['You must specify POSTGRES_PASSWORD to a non-empty value', 'POSTGRES_PASSWORD'],
    ['ERROR missing required environment variable: SECRET', 'SECRET'],
    ['DB_HOST is required', 'DB_HOST'],
  ] as const) {
    test(`a missing variable: ${line}`, () => {
      const text = told({ lastLines: ['starting', line] }, ended);
      assert.match(text, new RegExp(`^problem: It wants the environment variable ${name}\\.\n`));
      assert.match(text, new RegExp(`> gantry update -e ${name}=VALUE web\n> gantry start web$`));
    });
  }

  test('a shell without anybody at it, and a program that went into the background', () => {
    assert.match(
      told({ exitCode: 0, command: ['sh'] }, ended),
      /^problem: Its command is a shell that nobody/,
    );
    assert.equal(
      told({ exitCode: 0, command: ['httpd'] }, ended),
      `problem: Its first process ended, and with it everything the process left in the background.
  command: httpd
  it ended with exit code 0, 0.3 s after its start
  it wrote nothing
  exit code 0 says that the process found nothing wrong: it had done its work, or went into the background
> gantry update web -- COMMAND [ARG...]    # the program in the foreground: nginx -g 'daemon off;', httpd -f ...`,
    );
  });

  test('work that was done, and a stop by its user, are no problems', () => {
    assert.match(told({ exitCode: 0, finishedAtMs: startedAtMs + 3_600_000 }, ended), /^note: /);
    assert.match(
      told({ exitCode: 143, manuallyStopped: true }, ended),
      /^note: It was stopped by its user\./,
    );
  });

  test('killed for want of memory', () => {
    const limitBytes = 16 * 2 ** 20;
    assert.equal(
      told(
        { exitCode: 137, memory: { oomKilled: true, oomKills: 1, limitBytes, peakBytes: limitBytes } },
        ended,
      ),
      `problem: It ran out of the memory it is allowed.
  the kernel's OOM killer ended it: exit code 137
  its limit is 16 MiB
  the most it used was 16 MiB
> gantry update -m 32m --memory-swap -1 web
> gantry start web`,
    );
    assert.match(
      told({ memory: { oomKilled: false, oomKills: 2, limitBytes } }),
      /has killed 2 of its processes; the first one lives on/,
    );
  });

  test('a process that was killed for want of memory is not blamed for every end', () => {
    const memory = { oomKilled: true, oomKills: 1, limitBytes: 16 * 2 ** 20, peakBytes: 16 * 2 ** 20 };
    const own = told({ exitCode: 3, lastLines: ['disk on fire'], memory }, ended);
    assert.match(own, /OOM killer ended one of its processes, but not the first one$/m);
    assert.match(own, /^problem: It ended with exit code 3\.$[\s\S]*^ {2}\| disk on fire$/m);
    assert.match(
      told({ exitCode: 137, manuallyStopped: true, memory }, ended),
      /^note: It was stopped by its user\.$/m,
    );
  });

  test('a limit that was not come near is not blamed for what the kernel killed', () => {
    const memory = { oomKilled: true, oomKills: 1, limitBytes: 16 * 2 ** 20, peakBytes: 2 ** 20 };
    const seen = told({ exitCode: 137, memory }, ended);
    assert.match(seen, /^problem: The host ran out of memory\.$/m);
    assert.match(seen, /its limit is 16 MiB, which it did not come near: the host ran out of memory$/m);
    assert.doesNotMatch(seen, /gantry update/);
  });

  test('listening on 127.0.0.1 only, on another port, not at all', () => {
    const refused = { attempts: [{ port: 80, outcome: 'is refused' }] };
    assert.equal(
      told({
        network: { ...network, ...refused, sockets: [{ protocol: 'tcp', address: '127.0.0.1', port: 80 }] },
      }),
      `problem: It listens on port 80 on 127.0.0.1 only, where nobody outside of it can connect.
  port 8080 of the host leads to its port 80/tcp
  it listens on: 127.0.0.1:80/tcp
  a connection from the host to 172.17.0.2:80 is refused
> tell the program to listen on 0.0.0.0 (often HOST=0.0.0.0, --host 0.0.0.0 or --bind 0.0.0.0)
> gantry update -e HOST=0.0.0.0 web`,
    );
    assert.match(
      told({
        network: { ...network, ...refused, sockets: [{ protocol: 'tcp', address: '::', port: 3000 }] },
      }),
      /^problem: Port 80 is published, but it listens on port 3000\.\n[\s\S]*> gantry update --unpublish 80 -p 8080:3000 web$/,
    );
    assert.match(
      told({ network: { ...network, ...refused, sockets: [] } }),
      /^problem: Nothing in it listens on port 80\/tcp\.\n[\s\S]*it listens on: nothing/,
    );
  });

  test('a port that is not published: a note, and a problem when somebody wants it', () => {
    const unpublished = { ...network, published: [], attempts: [] };
    assert.match(told({ network: unpublished }), /^note: It listens on port 80, which is not published/);
    assert.match(
      told({ network: { ...unpublished, wantedPort: 80 } }),
      /^problem: Port 80 is not published\.\n[\s\S]*> gantry update -p 80:80 web$/,
    );
  });

  test('a health check that fails, takes too long, or is not there', () => {
    const health = (exitCode: number, output: string): HealthEvidence => ({
      state: {
        status: 'unhealthy',
        failingStreak: 3,
        log: [{ startMs: startedAtMs + 5000, endMs: startedAtMs + 5200, exitCode, output }],
      },
      command: ['/bin/sh', '-c', 'curl -f localhost'],
      intervalMs: 5000,
      timeoutMs: 1000,
      startPeriodMs: 0,
      retries: 3,
    });
    assert.equal(
      told({ health: health(1, 'connection refused\n') }),
      `problem: Its health check fails.
  the check is: /bin/sh -c 'curl -f localhost'
  every 5.0 s, at most 1.0 s long, no start period
  it is unhealthy: 3 failures in a row count so far, 3 make it unhealthy
  5.0 s after the start: exit code 1 after 0.2 s
  | connection refused
> gantry exec web /bin/sh -c 'curl -f localhost'    # try it by hand
> gantry logs --tail 20 web`,
    );
    assert.match(
      told({ health: health(-1, 'Health check exceeded timeout (1s)') }),
      /takes longer than the 1\.0 s it has/,
    );
    assert.match(told({ health: health(127, 'sh: curl: not found') }), /the program is not in the image/);
    const slow = health(1, '');
    assert.match(
      told({ health: { ...slow, state: { ...slow.state, status: 'starting' } } }),
      /^problem: It is slow to become healthy/,
    );
  });

  test('no space, no inodes', () => {
    const [disk] = healthy.disks;
    assert.equal(
      told({ disks: [{ ...disk!, freeBytes: 0 }], lastLines: ['write: No space left on device'] }),
      `problem: The disk of the data-root has no space left.
  The disk of the data-root (/var/lib/gantry): 0 B of 100 GiB free, 900 of 1000 inodes
  | write: No space left on device
> gantry system df    # what takes the space
> gantry system prune    # removes what nothing uses
> df -h /var/lib/gantry; df -i /var/lib/gantry`,
    );
    assert.match(told({ disks: [{ ...disk!, freeInodes: 0 }] }), /has no inodes left/);
    assert.match(told({ lastLines: ['ENOSPC: no space left on device'] }), /There is some now/);
  });

  test('names: of a container elsewhere, without any server, of nobody', () => {
    const lookups = [{ name: 'db', addresses: [], outcome: 'NXDOMAIN', wanted: false }];
    assert.equal(
      told({ names: { ...names, lookups, containers: { db: ['back'] } } }),
      `problem: The container db is on another network.
  its log complains of the name db: NXDOMAIN
  it asks 127.0.0.11, where names of containers are known
> gantry update --network back web`,
    );
    assert.match(
      told({ names: { ...names, lookups, containers: { db: [] } } }),
      /default network, where containers have no names/,
    );
    assert.match(
      told({ names: { ...names, lookups, containers: { db: ['app'] } } }),
      /The container db does not run/,
    );
    assert.match(
      told({ names: { ...names, lookups, upstreams: [{ server: '192.0.2.1', answers: false }] } }),
      /No name server answers[\s\S]*the name server 192\.0\.2\.1 does not answer/,
    );
    assert.match(told({ names: { ...names, lookups } }), /Nobody knows the name db/);
    assert.match(told({ names: { ...names, lookups, leadsOut: false } }), /internal networks/);
    assert.match(told({ names: { ...names, embeddedAnswers: false } }), /127\.0\.0\.11, does not answer/);
  });

  test('a volume of somebody else', () => {
    const identity = { uid: 1000, gid: 1000, groups: [1000], overridesModes: false, hostOwner: '1000:1000' };
    const mount = {
      type: 'volume' as const,
      source: 'data',
      target: '/data',
      readWrite: true,
      uid: 0,
      gid: 0,
      foreign: false,
      mode: 0o755,
      directory: true,
    };
    assert.equal(
      told({ identity, mounts: [mount], lastLines: ["can't create /data/x: Permission denied"] }),
      `problem: Its user may not write to /data.
  it runs as 1000:1000
  volume data belongs to 0:0, mode 0755
  | can't create /data/x: Permission denied
> gantry run --rm -v data:/mend busybox chown -R 1000:1000 /mend
> gantry restart web`,
    );
    assert.match(told({ identity, mounts: [mount] }), /^note: /);
    assert.equal(told({ identity, mounts: [{ ...mount, gid: 1000, mode: 0o775 }] }), '');
    assert.match(
      told({ mounts: [{ ...mount, readWrite: false }], lastLines: ['/data/x: Read-only file system'] }),
      /^problem: \/data is mounted read-only[\s\S]*> gantry update -v data:\/data web$/,
    );
    assert.match(told({ readonlyRoot: true, lastLines: ['/x: Read-only file system'] }), /--read-only/);
  });

  test('another container: no common network, none allowed, nobody listening', () => {
    const shared = { name: 'app', interContainer: true, hasNames: true, address: '172.18.0.3' };
    const reach = {
      name: 'db',
      running: true,
      port: 5432,
      ownNetworks: ['app'],
      otherNetworks: ['app'],
      shared: [shared],
      sockets: [{ protocol: 'tcp' as const, address: '0.0.0.0', port: 5432 }],
    };
    assert.equal(told({ reach }), '');
    assert.equal(
      told({ reach: { ...reach, otherNetworks: ['back'], shared: [] } }),
      `problem: The two are on no common network.
  web is on: app
  db is on: back
> gantry update --network back web`,
    );
    assert.match(
      told({ reach: { ...reach, shared: [{ ...shared, interContainer: false }] } }),
      /^problem: Containers on network app may not talk to each other/,
    );
    assert.match(
      told({ reach: { ...reach, sockets: [{ protocol: 'tcp', address: '127.0.0.1', port: 5432 }] } }),
      /^problem: db listens on 127\.0\.0\.1 only/,
    );
    assert.match(told({ reach: { ...reach, port: 80 } }), /^problem: db does not listen on port 80\./);
    assert.match(
      told({ reach: { ...reach, running: false } }),
      /^problem: db does not run\.\n> gantry start db/,
    );
    assert.match(
      told({ reach: { ...reach, shared: [{ ...shared, hasNames: false }] } }),
      /has no name on the default/,
    );
  });

  test('names that programs complain of', () => {
    const lines = [
      "wget: bad address 'db:5432'",
      'curl: (6) Could not resolve host: api.example',
      'Error: getaddrinfo ENOTFOUND cache',
      'all is well',
    ];
    assert.deepEqual(namesComplainedOf(lines), ['db', 'api.example', 'cache']);
  });

  test('socket tables of the kernel', () => {
    const heading = '  sl  local_address rem_address   st\n';
    assert.deepEqual(
      parseSocketTable(
        `${heading}   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:1F90 0100007F:9999 01 0\n`,
        'tcp',
      ),
      [{ protocol: 'tcp', address: '127.0.0.1', port: 8080 }],
    );
    assert.deepEqual(
      parseSocketTable(`${heading}   0: 00000000000000000000000001000000:0050 0:0 0A 0\n`, 'tcp6'),
      [{ protocol: 'tcp', address: '::1', port: 80 }],
    );
    assert.deepEqual(parseSocketTable(`${heading}   0: 00000000:0035 00000000:0000 07 0\n`, 'udp'), [
      { protocol: 'udp', address: '0.0.0.0', port: 53 },
    ]);
  });
});
