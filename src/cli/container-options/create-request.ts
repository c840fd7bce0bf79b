import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type {
  ContainerCreateRequest,
  HostConfig,
  RestartPolicy,
  SecretReference,
} from '../../api/containers.ts';
import type { HealthConfig } from '../../api/images.ts';
import { compareVersions } from '../../api/paths.ts';
import { EngineError } from '../../stdx/errors.ts';
import { parseSecretNotation } from '../../stdx/secret-notation.ts';
import { variablesBeside } from '../config/proxies.ts';
import { ExitError, UsageError } from '../errors.ts';
import type { FlagValues } from '../flags.ts';
import { keyValues } from '../key-values.ts';
import { plainReason } from '../streams.ts';
import { argument } from './argument.ts';
import { planEnvironment, planLabels } from './environment.ts';
import { parseMount, planTmpfs, planVolumes } from './mounts.ts';
import { planNetworks } from './networks.ts';
import { planPorts } from './ports.ts';
import { planFixedResources, planLimits } from './resources.ts';
import { parseSchedule, refuseBesideSchedule } from './schedule.ts';

export interface CreatePlan {
  name: string;
  platform: string;
  image: string;
  cidFile: string;
  request: ContainerCreateRequest;
}

interface Place {
  env: Readonly<Record<string, string | undefined>>;
  workingDirectory: string;
  /** `NAME=value` of variables that containers get unless `--env` names them. */
  proxies: readonly string[];
  /** Of the terminal, when there is one. */
  consoleSize: [number, number];
}

/**
 * What the flags of `run` and `create` ask for, as the API takes it.
 * @param detached nothing is attached (`run -d`)
 * @throws invalid, in Docker's words; notImplemented for what Gantry does not have
 */
export function planCreate(
  flags: FlagValues,
  args: readonly string[],
  place: Place,
  detached: boolean,
): CreatePlan {
  refuse(flags);
  const [image = '', ...command] = args;
  const ports = planPorts(flags.list('publish'), flags.list('expose'));
  const volumes = planVolumes(flags.list('volume'), place.workingDirectory);
  const networks = planNetworks(flags);
  const attached = planAttach(flags, detached);
  const interactive = flags.on('interactive');
  return {
    name: flags.string('name'),
    platform: flags.string('platform') || (place.env['DOCKER_DEFAULT_PLATFORM'] ?? ''),
    image,
    cidFile: flags.string('cidfile'),
    request: {
      Hostname: flags.string('hostname'),
      Domainname: flags.string('domainname'),
      User: flags.string('user'),
      AttachStdin: attached.stdin,
      AttachStdout: attached.stdout,
      AttachStderr: attached.stderr,
      ExposedPorts: Object.fromEntries(ports.exposed.map(port => [port, {}])),
      Tty: flags.on('tty'),
      OpenStdin: interactive,
      StdinOnce: interactive && attached.stdin,
      Env: planEnvironment(
        flags.list('env-file'),
        [...flags.list('env'), ...variablesBeside(flags.list('env'), place.proxies)],
        place.env,
      ),
      Cmd: command.length === 0 ? null : command,
      Healthcheck: planHealthcheck(flags),
      Image: image,
      Volumes: Object.fromEntries(volumes.anonymous.map(path => [path, {}])),
      WorkingDir: flags.string('workdir'),
      // `--entrypoint ""` resets the image's: [""] says so, null would keep it.
      Entrypoint: flags.changed('entrypoint') ? [flags.string('entrypoint')] : null,
      OnBuild: null,
      Labels: planLabels(flags.list('label-file'), flags.list('label')),
      MacAddress: flags.string('mac-address') || undefined,
      StopSignal: flags.given('stop-signal'),
      StopTimeout: flags.changed('stop-timeout') ? flags.integer('stop-timeout') : undefined,
      HostConfig: planHost(flags, place, ports.bindings, volumes.binds, networks.mode),
      NetworkingConfig: { EndpointsConfig: networks.endpoints },
    },
  };
}

/**
 * As planCreate. What is wrong is told with a pointer to the help and ends with 125, whatever its words: only what the
 * daemon says of a start can be 126 or 127.
 * @param name `run` or `create`
 */
export function planOrRefuse(name: string, ...given: Parameters<typeof planCreate>): CreatePlan {
  try {
    return planCreate(...given);
  } catch (error) {
    if (!(error instanceof EngineError) || error instanceof UsageError) throw error;
    throw new ExitError(125, `gantry: ${error.message}\n\nRun 'gantry ${name} --help' for more information`);
  }
}

/** Before 1.44 the address is the container's, since then the endpoint's. */
export function forVersion(request: ContainerCreateRequest, version: string): ContainerCreateRequest {
  if (compareVersions(version, '1.44') >= 0) return { ...request, MacAddress: undefined };
  return request;
}

function planHost(
  flags: FlagValues,
  place: Place,
  PortBindings: HostConfig['PortBindings'],
  Binds: string[],
  NetworkMode: string,
): Partial<HostConfig> {
  const RestartPolicy = parseRestartPolicy(flags.string('restart'));
  if (flags.on('rm') && RestartPolicy.Name !== 'no' && RestartPolicy.Name !== '') {
    throw new EngineError('invalid', 'conflicting options: cannot specify both --restart and --rm');
  }
  const Schedule = parseSchedule(flags);
  if (Schedule !== undefined) refuseBesideSchedule(flags, RestartPolicy);
  const security = planSecurity(flags.list('security-opt'), place.workingDirectory);
  return {
    ...planLimits(flags),
    ...planFixedResources(flags),
    ...security,
    Binds,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: flags.string('log-driver'), Config: logOptions(flags) },
    NetworkMode,
    PortBindings,
    RestartPolicy,
    HealthOnFailure: flags.given('health-on-failure'),
    Schedule,
    AutoRemove: flags.on('rm'),
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: flags.list('volumes-from'),
    ConsoleSize: place.consoleSize,
    Annotations: flags.changed('annotation') ? keyValues(flags.list('annotation')) : undefined,
    ...planCapabilities(flags.list('cap-add'), flags.list('cap-drop')),
    CgroupnsMode: namespaceMode('cgroupns', 'CGROUP', flags.string('cgroupns'), /^(|host|private)$/),
    Dns: flags.list('dns').map(text => argument('--dns', text, () => nameServer(text))),
    DnsOptions: [...flags.list('dns-option'), ...flags.list('dns-opt')],
    DnsSearch: flags.list('dns-search'),
    ExtraHosts: flags.list('add-host').map(text => argument('--add-host', text, () => parseExtraHost(text))),
    GroupAdd: flags.list('group-add'),
    IpcMode: flags.string('ipc'),
    Links: flags.list('link'),
    OomScoreAdj: flags.integer('oom-score-adj'),
    PidMode: namespaceMode('pid', 'PID', flags.string('pid'), /^(|host|container:.+)$/),
    Privileged: flags.on('privileged'),
    PublishAllPorts: flags.on('publish-all'),
    ReadonlyRootfs: flags.on('read-only'),
    StorageOpt: flags.changed('storage-opt') ? keyValues(flags.list('storage-opt')) : undefined,
    Tmpfs: flags.changed('tmpfs') ? planTmpfs(flags.list('tmpfs')) : undefined,
    UTSMode: namespaceMode('uts', 'UTS', flags.string('uts'), /^(|host)$/),
    UsernsMode: namespaceMode('userns', 'USER', flags.string('userns'), /^(|host)$/),
    ShmSize: flags.bytes('shm-size'),
    Sysctls: flags.changed('sysctl')
      ? keyValues(flags.list('sysctl').map(text => argument('--sysctl', text, () => sysctl(text))))
      : undefined,
    Runtime: flags.string('runtime'),
    Isolation: flags.string('isolation'),
    Mounts: flags.changed('mount')
      ? flags
          .list('mount')
          .map(text => argument('--mount', text, () => parseMount(text, place.workingDirectory)))
      : undefined,
    Secrets: flags.changed('secret')
      ? flags.list('secret').map(text => argument('--secret', text, () => planSecret(text)))
      : undefined,
    Init: flags.changed('init') ? flags.on('init') : undefined,
  };
}

function planSecret(text: string): SecretReference {
  const { source, target, uid, gid, mode } = parseSecretNotation(text);
  return { Source: source, Target: target, UID: uid, GID: gid, Mode: mode };
}

/** What this platform does not have is refused, never left out. */
function refuse(flags: FlagValues): void {
  if (flags.changed('disable-content-trust') && !flags.on('disable-content-trust')) {
    throw new EngineError(
      'notImplemented',
      '--disable-content-trust=false is not supported: there is no content trust',
    );
  }
}

function planAttach(
  flags: FlagValues,
  detached: boolean,
): { stdin: boolean; stdout: boolean; stderr: boolean } {
  if (detached) return { stdin: false, stdout: false, stderr: false };
  const named = flags.list('attach').map(name => name.toLowerCase());
  for (const name of named) {
    if (!['stdin', 'stdout', 'stderr'].includes(name)) {
      throw new UsageError(
        `invalid argument "${name}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
      );
    }
  }
  if (named.length === 0) return { stdin: flags.on('interactive'), stdout: true, stderr: true };
  return {
    stdin: named.includes('stdin'),
    stdout: named.includes('stdout'),
    stderr: named.includes('stderr'),
  };
}

export function parseRestartPolicy(text: string): RestartPolicy {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const colon = text.indexOf(':');
  const Name = (colon === -1 ? text : text.slice(0, colon)) as RestartPolicy['Name'];
  if (colon === -1) return { Name, MaximumRetryCount: 0 };
  const count = text.slice(colon + 1);
  if (Name === ('' as string))
    throw new EngineError('invalid', 'invalid restart policy format: no policy provided before colon');
  if (!/^-?\d+$/.test(count))
    throw new EngineError('invalid', 'invalid restart policy format: maximum retry count must be an integer');
  return { Name, MaximumRetryCount: Number(count) };
}

function planHealthcheck(flags: FlagValues): HealthConfig | undefined {
  const timing = [
    'health-interval',
    'health-timeout',
    'health-start-period',
    'health-start-interval',
    'health-retries',
  ];
  const given = flags.changed('health-cmd') || timing.some(name => flags.changed(name));
  if (flags.on('no-healthcheck')) {
    if (given) throw new EngineError('invalid', '--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!given) return undefined;
  for (const name of timing.slice(0, 4)) {
    if (flags.durationNs(name) < 0) throw new EngineError('invalid', `--${name} cannot be negative`);
  }
  if (flags.integer('health-retries') < 0)
    throw new EngineError('invalid', '--health-retries cannot be negative');
  return {
    Test: flags.string('health-cmd') === '' ? undefined : ['CMD-SHELL', flags.string('health-cmd')],
    Interval: flags.durationNs('health-interval'),
    Timeout: flags.durationNs('health-timeout'),
    StartPeriod: flags.durationNs('health-start-period'),
    StartInterval: flags.durationNs('health-start-interval') || undefined,
    Retries: flags.integer('health-retries'),
  };
}

function logOptions(flags: FlagValues): Record<string, string> {
  const options = flags.list('log-opt');
  const driver = flags.string('log-driver');
  if (driver === 'none' && options.length > 0)
    throw new EngineError('invalid', `invalid logging opts for driver ${driver}`);
  return keyValues(options);
}

/** `seccomp=FILE` is read here: the daemon may be elsewhere. `systempaths=unconfined` is two lists, not an option. */
function planSecurity(
  options: readonly string[],
  workingDirectory: string,
): Pick<HostConfig, 'SecurityOpt'> & Partial<HostConfig> {
  const SecurityOpt: string[] = [];
  let paths: Partial<HostConfig> = {};
  for (const option of options) {
    const [key, value] = option.includes('=')
      ? [option.slice(0, option.indexOf('=')), option.slice(option.indexOf('=') + 1)]
      : option.split(':', 2);
    if (key === 'systempaths' && value === 'unconfined') paths = { MaskedPaths: [], ReadonlyPaths: [] };
    else if (!value && option !== 'no-new-privileges')
      throw new EngineError('invalid', `Invalid --security-opt: ${JSON.stringify(option)}`);
    else if (key === 'seccomp' && value && value !== 'unconfined' && value !== 'builtin')
      SecurityOpt.push(`seccomp=${readProfile(value, workingDirectory)}`);
    else SecurityOpt.push(option);
  }
  return { SecurityOpt, ...paths };
}

function readProfile(path: string, workingDirectory: string): string {
  try {
    return JSON.stringify(
      JSON.parse(readFileSync(path.startsWith('/') ? path : `${workingDirectory}/${path}`, 'utf8')),
    );
  } catch (error) {
    throw new EngineError(
      'invalid',
      `opening seccomp profile (${path}) failed: open ${path}: ${plainReason(error)}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * With the kernel's prefix, in upper case, each once and in order; what is both added and dropped is added, and `ALL`
 * stands for itself.
 */
function planCapabilities(
  added: readonly string[],
  dropped: readonly string[],
): Pick<HostConfig, 'CapAdd' | 'CapDrop'> {
  const normal = (names: readonly string[]) => {
    const all = names.map(name => name.trim().toUpperCase());
    if (all.includes('ALL')) return ['ALL'];
    return [...new Set(all.map(name => (name.startsWith('CAP_') ? name : `CAP_${name}`)))].sort();
  };
  const CapAdd = normal(added);
  return { CapAdd, CapDrop: normal(dropped).filter(name => !CapAdd.includes(name)) };
}

function namespaceMode(flag: string, kind: string, mode: string, known: RegExp): string {
  if (!known.test(mode)) throw new EngineError('invalid', `--${flag}: invalid ${kind} mode`);
  return mode;
}

function nameServer(text: string): string {
  if (isIP(text) === 0) throw new EngineError('invalid', `IP address is not correctly formatted: ${text}`);
  return text;
}

/** Those that a namespace has of its own. */
function sysctl(text: string): string {
  const known =
    /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|(net|fs\.mqueue)\.[^=]+)=/;
  if (!known.test(text)) throw new EngineError('invalid', `sysctl '${text}' is not allowed`);
  return text;
}

/** `name:address` or `name=address`. */
function parseExtraHost(text: string): string {
  const at = text.search(/[=:]/);
  const name = text.slice(0, at);
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
  if (at <= 0) throw new EngineError('invalid', `bad format for add-host: ${JSON.stringify(text)}`);
  if (isIP(address) === 0 && address !== 'host-gateway')
    throw new EngineError('invalid', `invalid IP address in add-host: ${JSON.stringify(address)}`);
  return `${name}:${address}`;
}
