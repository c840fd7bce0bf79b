import assert from 'node:assert/strict';
import test from 'node:test';
import { splitCsv } from '../../stdx/csv.ts';
import { proxyVariables } from '../config/proxies.ts';
import { declareFlags, parseFlags } from '../flags.ts';
import { planCreate } from './create-request.ts';
import { containerFlags } from './flags.ts';
import { parseMount } from './mounts.ts';
import { planPorts } from './ports.ts';
import { parseUlimit } from './resources.ts';

const place = {
  env: { HOME: '/root' },
  workingDirectory: '/work',
  proxies: [] as string[],
  consoleSize: [0, 0] as [number, number],
};

function plan(...args: string[]) {
  return planAt(place, ...args);
}

function planAt(at: typeof place, ...args: string[]) {
  const { values, rest } = parseFlags(declareFlags(containerFlags), args, false);
  return planCreate(values, rest, at, false);
}

test('what run asks for', () => {
  const { request, image } = plan(
    '-it',
    '-e',
    'A=1',
    '-e',
    'HOME',
    '-e',
    'GONE',
    '-v',
    './x:/y',
    '-v',
    '/anon',
    '-m',
    '64m',
    '--cpus',
    '0.5',
    '--entrypoint',
    '',
    'img',
    'sh',
    '-c',
    'x',
  );
  assert.equal(image, 'img');
  assert.deepEqual(request.Cmd, ['sh', '-c', 'x']);
  assert.deepEqual(request.Env, ['A=1', 'HOME=/root']);
  assert.deepEqual(request.Entrypoint, ['']);
  assert.deepEqual(request.Volumes, { '/anon': {} });
  assert.deepEqual(request.HostConfig?.Binds, ['/work/x:/y']);
  assert.equal(request.HostConfig?.Memory, 64 * 1024 ** 2);
  assert.equal(request.HostConfig?.NanoCpus, 500_000_000);
  assert.deepEqual([request.OpenStdin, request.StdinOnce, request.AttachStdin], [true, true, true]);
});

test('proxies of config.json, unless --env says otherwise', () => {
  const config = {
    proxies: {
      default: { httpProxy: 'http://p:1', noProxy: 'a,b' },
      'tcp://other:2375': { httpsProxy: 'http://q:2' },
    },
  };
  const proxies = proxyVariables(config, 'unix:///x');
  assert.deepEqual(planAt({ ...place, proxies }, '-e', 'HTTP_PROXY=', '-e', 'no_proxy', 'img').request.Env, [
    'HTTP_PROXY=',
    'http_proxy=http://p:1',
    'NO_PROXY=a,b',
  ]);
  assert.deepEqual(proxyVariables(config, 'tcp://other:2375'), [
    'HTTPS_PROXY=http://q:2',
    'https_proxy=http://q:2',
  ]);
});

test('networks, plain and with options', () => {
  const { request } = plan('--network', 'name=app,alias=web,ip=10.0.0.5', '--network', 'other', 'img');
  assert.equal(request.HostConfig?.NetworkMode, 'app');
  assert.deepEqual(request.NetworkingConfig?.EndpointsConfig, {
    app: {
      IPAMConfig: { IPv4Address: '10.0.0.5', IPv6Address: undefined, LinkLocalIPs: undefined },
      Aliases: ['web'],
    },
    other: {},
  });
});

test('what cannot be is refused', () => {
  assert.throws(() => plan('--rm', '--restart', 'always', 'img'), /cannot specify both --restart and --rm/);
  assert.throws(() => plan('--gpus', 'x=y', 'img'), /"--gpus" flag: unexpected key 'x' in 'x=y'/);
  assert.throws(() => plan('--device', 'a:b:c:d', 'img'), /^EngineError: bad format for path: a:b:c:d$/);
  assert.throws(() => plan('--device', '/dev/null:/x:rx', 'img'), /bad mode specified: rx/);
  assert.throws(() => plan('--device', '/dev/null:rrr', 'img'), /rrr is not an absolute path/);
  assert.throws(
    () => plan('--device-cgroup-rule', 'd 1:1 r', 'img'),
    /invalid device cgroup format 'd 1:1 r'/,
  );
  for (const option of ['', 'seccomp', 'seccomp=', 'label', 'systempaths', 'apparmor:']) {
    assert.throws(() => plan('--security-opt', option, 'img'), /Invalid --security-opt/);
  }
  assert.throws(() => plan('--network', 'host', '--network', 'x', 'img'), /conflicting options/);
});

test('device requests', () => {
  const requested = (gpus: string) => plan('--gpus', gpus, 'img').request.HostConfig?.DeviceRequests?.[0];
  const plain = { Driver: '', DeviceIDs: null, Capabilities: [['gpu']], Options: {} };
  assert.deepEqual(requested('all'), { ...plain, Count: -1 });
  assert.deepEqual(requested('2'), { ...plain, Count: 2 });
  assert.deepEqual(requested('"device=0,1"'), { ...plain, Count: 0, DeviceIDs: ['0', '1'] });
  assert.deepEqual(requested('driver=x,capabilities=compute,count=all,options=a=b'), {
    Driver: 'x',
    Count: -1,
    DeviceIDs: null,
    Capabilities: [['compute', 'gpu']],
    Options: { a: 'b' },
  });
});

test('ports', () => {
  assert.deepEqual(planPorts(['8080:80', '127.0.0.1:53:53/udp', '9000-9001:90-91', '[::1]::7'], ['5-6']), {
    exposed: ['80/tcp', '53/udp', '90/tcp', '91/tcp', '7/tcp', '5/tcp', '6/tcp'],
    bindings: {
      '80/tcp': [{ HostIp: '', HostPort: '8080' }],
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }],
      '90/tcp': [{ HostIp: '', HostPort: '9000' }],
      '91/tcp': [{ HostIp: '', HostPort: '9001' }],
      '7/tcp': [{ HostIp: '::1', HostPort: '' }],
    },
  });
  assert.deepEqual(planPorts(['8000-8010:80'], []).bindings, {
    '80/tcp': [{ HostIp: '', HostPort: '8000-8010' }],
  });
  for (const [text, message] of [
    ['xx', 'invalid containerPort: xx'],
    ['99999', 'invalid containerPort: 99999'],
    ['x:80', 'invalid hostPort: x'],
    ['1.2.3:1:80', 'invalid IP address: 1.2.3'],
    ['80/foo', 'invalid proto: foo'],
    ['1-2:5-9', 'invalid ranges specified for container and host Ports: 5-9 and 1-2'],
  ] as const) {
    assert.throws(() => planPorts([text], []), { message });
  }
});

test('mounts', () => {
  assert.deepEqual(parseMount('type=bind,source=./a,target=/b,readonly,bind-propagation=rslave', '/w'), {
    Type: 'bind',
    Target: '/b',
    Source: '/w/a',
    ReadOnly: true,
    BindOptions: { Propagation: 'rslave' },
  });
  assert.deepEqual(parseMount('type=volume,src=v,dst=/d,"volume-opt=o=a,b",volume-nocopy', '/'), {
    Type: 'volume',
    Source: 'v',
    Target: '/d',
    VolumeOptions: { DriverConfig: { Options: { o: 'a,b' } }, NoCopy: true },
  });
  assert.throws(() => parseMount('type=bind,source=/a', '/'), { message: 'target is required' });
  assert.throws(() => parseMount('type=bind,foo=1,target=/b', '/'), {
    message: "unexpected key 'foo' in 'foo=1'",
  });
  assert.throws(() => parseMount('type=bind,target=/b,tmpfs-size=1', '/'), /cannot mix/);
});

test('comma-separated values with quotes', () => {
  assert.deepEqual(splitCsv('a,"b,c","d""e",'), ['a', 'b,c', 'd"e', '']);
});

test('ulimits', () => {
  assert.deepEqual(parseUlimit('nofile=1024:2048'), { Name: 'nofile', Soft: 1024, Hard: 2048 });
  assert.throws(() => parseUlimit('nofile=5:1'), /soft limit must be less/);
  assert.throws(() => parseUlimit('nofile'), /invalid ulimit argument/);
});
