import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EngineError } from '../stdx/errors.ts';
import { type DaemonConfig, parseDaemonConfig } from './daemon-config.ts';

function noFile(path: string): never {
  throw Object.assign(new Error(`open ${path}: no such file or directory`), { code: 'ENOENT' });
}

function parse(
  argv: string[],
  file?: string,
  env: Record<string, string> = {},
): { config: DaemonConfig; warnings: string[] } {
  const readFile = (path: string) => (path.endsWith('.pem') ? `content of ${path}` : (file ?? noFile(path)));
  const result = parseDaemonConfig({ argv, env, readFile });
  assert.ok(result.action === 'run' || result.action === 'validate');
  return { config: result.config, warnings: result.config.warnings };
}

function refusal(argv: string[], file?: string): string {
  try {
    parse(argv, file);
  } catch (error) {
    assert.ok(error instanceof EngineError);
    return error.message;
  }
  return assert.fail('it was accepted');
}

describe('gantryd flags', () => {
  test('without any, the defaults', () => {
    const { config, warnings } = parse([]);
    assert.deepEqual(config.hosts, [{ kind: 'unix', path: '/run/gantry/gantry.sock' }]);
    assert.equal(config.dataRoot, '/var/lib/gantry');
    assert.equal(config.execRoot, '/run/gantry');
    assert.equal(config.pidFile, '/run/gantry/gantryd.pid');
    assert.equal(config.settings.logDriver, 'local');
    assert.equal(config.settings.defaultShmSizeBytes, 64 * 1024 * 1024);
    assert.deepEqual(warnings, []);
  });

  test("are written in pflag's ways", () => {
    const { config } = parse([
      '-DH',
      'unix:///a',
      '-Hunix:///b',
      '--host=unix:///c',
      '-l=warn',
      '--mtu',
      '1400',
    ]);
    assert.deepEqual(
      config.hosts.map(host => host.kind === 'unix' && host.path),
      ['/a', '/b', '/c'],
    );
    assert.equal(config.settings.debug, true);
    assert.equal(config.logLevel, 'debug');
    assert.equal(config.network.mtu, 1400);
    assert.equal(parse(['--debug=false', '-l', 'warn']).config.logLevel, 'warn');
  });

  test('may follow each other when they are the same', () => {
    const { config } = parse(['-H', 'unix:///a', '-H', 'unix:///b', '-D']);
    assert.equal(config.hosts.length, 2);
    assert.match(refusal(['-D', 'word']), /accepts no arguments, got "word"/);
  });

  test('that do not exist, or are cut short, are named', () => {
    assert.match(refusal(['--dta-root', '/x']), /^unknown flag: --dta-root\n/);
    assert.match(refusal(['-x']), /^unknown shorthand flag: 'x' in -x\n/);
    assert.match(refusal(['--data-root']), /^flag needs an argument: --data-root\n/);
    assert.match(refusal(['--mtu', 'big']), /^invalid argument "big" for "--mtu" flag: strconv\.ParseInt/);
    assert.match(refusal(['daemon']), /accepts no arguments, got "daemon"/);
  });

  test('with structured values', () => {
    const { config } = parse([
      '--default-address-pool',
      'base=10.9.0.0/16,size=24',
      '--default-ulimit=nofile=10:20',
      '--log-opt=max-size=1m',
      '--default-shm-size=1g',
    ]);
    assert.deepEqual(config.network.pools, [{ base: '10.9.0.0/16', size: 24 }]);
    assert.deepEqual(config.settings.defaultUlimits, [{ name: 'nofile', soft: 10, hard: 20 }]);
    assert.deepEqual(config.settings.logOptions, { 'max-size': '1m' });
    assert.equal(config.settings.defaultShmSizeBytes, 2 ** 30);
    assert.match(refusal(['--default-ulimit=nofile=20:10']), /soft limit must be less/);
  });

  test('of what containers get by default', () => {
    const { settings } = parse(['--init', '--no-new-privileges', '--default-ipc-mode=shareable']).config;
    assert.deepEqual(
      [settings.init, settings.noNewPrivileges, settings.defaultIpcMode, settings.defaultCgroupnsMode],
      [true, true, 'shareable', undefined],
    );
    assert.equal(
      refusal(['--default-ipc-mode=host']),
      'default IPC mode setting (host) is not supported; use "shareable" or "private"',
    );
    assert.match(refusal(['--default-ipc-mode=x']), /^default IPC mode setting \(x\) is invalid/);
    assert.equal(parse(['--default-cgroupns-mode=host']).config.settings.defaultCgroupnsMode, 'host');
    assert.match(refusal(['--default-cgroupns-mode=x']), /is invalid; use "host" or "private"$/);
  });

  test('of budgets', () => {
    const { settings } = parse([
      '--image-gc=keep-storage=20GB',
      '--disk-budget=keep-free=0',
      '--disk-budget=unused-for=2m',
    ]).config;
    assert.deepEqual(settings.imageCollection, { keepBytes: 20 * 2 ** 30, unusedForMs: 86_400_000 });
    assert.deepEqual(settings.diskBudget, { keepFreeBytes: 0, unusedForMs: 120_000 });
    assert.equal(refusal(['--image-gc=unused-for=1h']), 'image-gc: keep-storage is missing');
    assert.match(
      refusal(['--image-gc=keep-storage=1', '--image-gc=unused-for=-1s']),
      /nothing may be negative/,
    );
    assert.match(refusal(['--image-gc=x=1']), /^image-gc: unknown option "x"/);
    assert.equal(refusal(['--disk-budget=unused-for=1h']), 'disk-budget: size or keep-free is missing');
    assert.match(
      refusal(['--disk-budget=size=1', '--disk-budget=unused-for=-1s']),
      /nothing may be negative/,
    );
  });

  test('of proxies: a flag or the file, before the environment', () => {
    const env = { HTTP_PROXY: 'http://env:1', https_proxy: 'env:2', NO_PROXY: 'a' };
    const proxies = (argv: string[], file?: string) => parse(argv, file, env).config.settings.proxies;
    assert.deepEqual(proxies([]), { http: 'http://env:1', https: 'http://env:2', except: 'a' });
    assert.deepEqual(proxies(['--http-proxy=http://flag:1'], '{"proxies": {"no-proxy": "b"}}'), {
      http: 'http://flag:1',
      https: 'http://env:2',
      except: 'b',
    });
    assert.match(
      refusal(['--http-proxy=http://me:secret@flag'], '{"proxies": {"http-proxy": "x"}}'),
      /both as a flag and in the configuration file: http-proxy: \(from flag: http:\/\/xxxxx:xxxxx@flag, from file: x\)$/,
    );
    assert.match(refusal(['--https-proxy=socks5://p']), /scheme socks5 is not supported/);
    assert.match(refusal([], '{"proxies": {"ftp-proxy": "x"}}'), /there is no proxies\.ftp-proxy/);
    assert.match(refusal(['--proxies=x']), /^unknown flag: --proxies/);
  });

  test('of the place for metrics', () => {
    const host = (text: string) => parse([`--metrics-addr=${text}`]).config.metricsHost;
    assert.deepEqual(host('127.0.0.1:9323'), { kind: 'tcp', address: '127.0.0.1', port: 9323 });
    assert.deepEqual(host(':9323'), { kind: 'tcp', address: '0.0.0.0', port: 9323 });
    assert.deepEqual(host('[::1]:9323'), { kind: 'tcp', address: '::1', port: 9323 });
    assert.equal(host(''), undefined);
    assert.match(refusal(['--metrics-addr=9323']), /^invalid metrics address "9323": want HOST:PORT$/);
    assert.match(refusal(['--metrics-addr=x:99999']), /want HOST:PORT/);
  });

  test('of further runtimes', () => {
    const runtimes = (argv: string[], file?: string) => parse(argv, file).config.runtimes;
    assert.deepEqual(runtimes(['--add-runtime=Other=/usr/bin/x=y', '--add-runtime', 'z=z']), {
      other: { path: '/usr/bin/x=y', args: [] },
      z: { path: 'z', args: [] },
    });
    assert.deepEqual(runtimes([], '{"runtimes": {"x": {"path": "/x", "runtimeArgs": ["--debug"]}}}'), {
      x: { path: '/x', args: ['--debug'] },
    });
    assert.match(refusal(['--add-runtime=x']), /invalid runtime argument: x/);
    assert.equal(refusal(['--add-runtime=runc=/x']), "runtime name 'runc' is reserved");
    assert.equal(refusal(['--add-runtime=x=/x', '--add-runtime=x=/y']), "runtime 'x' was already defined");
    assert.match(
      refusal([], '{"runtimes": {"x": {"runtimeType": "y"}}}'),
      /runtime "x": runtimeType is not supp/,
    );
    assert.match(
      refusal([], '{"runtimes": {"x": {}}}'),
      /invalid value for "runtimes": runtime "x": path is missing/,
    );
  });

  test('of the seccomp profile', () => {
    const seccomp = (argv: string[], file?: string) => parse(argv, file).config.settings.seccomp;
    assert.deepEqual(seccomp([]), { name: 'builtin', profile: 'default' });
    assert.deepEqual(seccomp(['--seccomp-profile=unconfined']), {
      name: 'unconfined',
      profile: 'unconfined',
    });
    const named = ['--config-file=/dev/null.pem', '--seccomp-profile=/p.json'];
    const readFile = (path: string) => (path === '/p.json' ? '{"defaultAction": "SCMP_ACT_ALLOW"}' : '{}');
    const given = parseDaemonConfig({ argv: named, env: {}, readFile });
    assert.ok(given.action === 'run');
    assert.equal(given.config.settings.seccomp.name, '/p.json');
    assert.match(refusal(['--seccomp-profile=/nowhere']), /^opening seccomp profile \(\/nowhere\) failed: /);
    assert.match(refusal(['--seccomp-profile=/x.pem']), /^seccomp profile \/x\.pem: Decoding/);
  });

  test('that mean nothing here are accepted with a warning', () => {
    const { warnings } = parse(['--live-restore', '--userland-proxy-path=/p', '--containerd', '/x']);
    assert.deepEqual(warnings.map(text => text.split(' ')[0]).sort(), [
      '--containerd',
      '--live-restore',
      '--userland-proxy-path',
    ]);
  });

  test('that would need something missing are refused by name', () => {
    assert.match(refusal(['--storage-opt=size=1g']), /^--storage-opt/);
    assert.match(refusal(['-s', 'btrfs']), /^--storage-driver: btrfs/);
    for (const driver of ['overlay2', 'fuse-overlayfs', 'vfs']) parse(['-s', driver]);
  });

  test('open no tcp socket to the world without client certificates', () => {
    assert.match(refusal(['-H', 'tcp://0.0.0.0:2375']), /use --tlsverify/);
    assert.match(refusal(['-H', 'tcp://10.0.0.1', '--tls']), /use --tlsverify/);
    assert.equal(parse(['-H', 'tcp://127.0.0.1:2375']).warnings.length, 1);
    assert.equal(parse(['-H', 'tcp://0.0.0.0:2375', '--tlsverify=false']).warnings.length, 1);
    const { config, warnings } = parse(['-H', 'tcp://0.0.0.0', '--tlsverify']);
    assert.deepEqual(config.hosts, [{ kind: 'tcp', address: '0.0.0.0', port: 2376 }]);
    assert.equal(config.tls?.ca, 'content of /etc/gantry/ca.pem');
    assert.equal(config.tls?.rejectUnauthorized, true);
    assert.deepEqual(warnings, []);
  });
});

describe('daemon.json', () => {
  test('sets what flags leave open', () => {
    const { config } = parse(
      ['--debug'],
      '{"hosts": ["unix:///x"], "log-opts": {"max-file": "2"}, "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],\n "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}}',
    );
    assert.deepEqual(config.hosts, [{ kind: 'unix', path: '/x' }]);
    assert.deepEqual(config.settings.logOptions, { 'max-file': '2' });
    assert.deepEqual(config.network.pools, [{ base: '10.0.0.0/8', size: 24 }]);
    assert.deepEqual(config.settings.defaultUlimits, [{ name: 'nofile', soft: 1, hard: 2 }]);
  });

  test('has addresses of the default bridge, and options of networks by driver', () => {
    const { config } = parse(
      ['--default-network-opt', 'macvlan=parent=eth0', '--fixed-cidr', '10.1.2.0/25'],
      '{"bip": "10.1.2.1/24", "ipv6": true, "bip6": "fd00::1/64", "default-gateway-v6": "fd00::9"}',
    );
    const { bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6, ipv6 } = config.network;
    assert.deepEqual(
      [bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6, ipv6],
      ['10.1.2.1/24', 'fd00::1/64', '10.1.2.0/25', undefined, undefined, 'fd00::9', true],
    );
    assert.deepEqual(config.network.driverOptions, { macvlan: { parent: 'eth0' } });
    const file =
      '{"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1400", "a": "b=c"}}}';
    assert.deepEqual(parse([], file).config.network.driverOptions, {
      bridge: { 'com.docker.network.driver.mtu': '1400', a: 'b=c' },
    });
    assert.match(refusal(['--default-network-opt', 'bridge=mtu']), /want DRIVER=NAME=VALUE/);
  });

  test('is not merged with the same flag', () => {
    assert.match(
      refusal(['-H', 'unix:///y'], '{"hosts": ["unix:///x"]}'),
      /specified both as a flag and in the configuration file: hosts: \(from flag: unix:\/\/\/y, from file: unix:\/\/\/x\)/,
    );
  });

  test('an unknown key or a bad value is named with file and line', () => {
    assert.match(refusal([], '{\n "debug": true,\n "bridges": "x"\n}'), /daemon\.json, line 3: .*: bridges$/);
    assert.match(
      refusal([], '{\n "debug": "yes"\n}'),
      /line 2: invalid value for "debug": want a boolean, got a string/,
    );
    assert.match(refusal([], '{\n "debug": true,\n}'), /daemon\.json, line 3/);
    assert.match(
      refusal([], '{\n\n "cpu-rt-period": 5}'),
      /"cpu-rt-period" \(\/etc\/gantry\/daemon\.json, line 3\)/,
    );
  });

  test('must be there when it was asked for', () => {
    assert.match(refusal(['--config-file', '/nowhere.json']), /nowhere\.json/);
  });

  test('--validate is told apart from running', () => {
    const result = parseDaemonConfig({ argv: ['--validate'], env: {}, readFile: () => '{}' });
    assert.equal(result.action, 'validate');
  });
});
