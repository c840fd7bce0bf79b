import { type Proxies, parseProxy, withoutSecrets } from '../distribution/proxies.ts';
import type { EngineSettings, SeccompDefault } from '../engine/context.ts';
import type { DiskBudget } from '../engine/plan-disk-budget.ts';
import type { CollectionPolicy } from '../images/plan-collection.ts';
import type { NetworkConfig } from '../network/controller.ts';
import type { ConfiguredRuntime } from '../runtime/probe.ts';
import { parseSeccompProfile } from '../runtime/seccomp.ts';
import type { TlsOptions } from '../server/http.ts';
import { type Host, hostText, isLoopbackHost, parseHost } from '../server/listen.ts';
import { parseByteSize } from '../stdx/byte-size.ts';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import { parseGoDuration } from '../stdx/go-duration.ts';
import { defaultDataRoot, defaultExecRoot } from '../storage/paths.ts';
import type { SnapshotDriverName } from '../storage/snapshot-drivers.ts';
import { readBuilderEntitlements, readBuilderGc } from './builder-gc.ts';
import { parseFlags } from './daemon-flags.ts';
import { type DaemonOption, daemonOptions, type OptionValue } from './daemon-options.ts';

/** How gantryd shall run: flags and daemon.json, merged and checked, defaults filled in. */
export interface DaemonConfig {
  dataRoot: string;
  /** undefined: the best that works. */
  storageDriver: SnapshotDriverName | undefined;
  execRoot: string;
  pidFile: string;
  hosts: Host[];
  /** Where Prometheus finds figures; undefined: nowhere. */
  metricsHost: Host | undefined;
  /** Who may use the unix sockets, besides root. */
  group: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** For tcp hosts; undefined: plain. */
  tls: TlsOptions | undefined;
  /** Name of the OCI runtime; undefined: the best that works. */
  defaultRuntime: string | undefined;
  /** Further OCI runtimes, by name. */
  runtimes: Record<string, ConfiguredRuntime>;
  /** As userns-remap takes it; '' is the host's own ids. */
  usernsRemap: string;
  /** `initPath` is undefined unless it was given. */
  settings: EngineSettings;
  network: NetworkConfig;
  /** For the log: what was accepted without effect, and what is dangerous. */
  warnings: string[];
}

export type DaemonInvocation =
  | { action: 'run' | 'validate'; config: DaemonConfig }
  | { action: 'help' | 'version' };

export interface ConfigSource {
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** As readFileSync; errors with code ENOENT are understood. */
  readFile(path: string): string;
}

const defaultConfigFile = '/etc/gantry/daemon.json';
const defaultHost = 'unix:///run/gantry/gantry.sock';

/**
 * Reads dockerd's flags and daemon.json. Pure, but for `readFile`.
 * @throws EngineError `invalid` or `notImplemented`; for a fault in the file it names key, file and line
 */
export function parseDaemonConfig(source: ConfigSource): DaemonInvocation {
  const flags = parseFlags(source.argv);
  if (flags.get('help')?.at(-1) === true) return { action: 'help' };
  if (flags.get('version')?.at(-1) === true) return { action: 'version' };
  const file = readConfigFile(source, flags);
  refuseConflicts(flags, file);
  const values = new Map<string, OptionValue[]>([...(file?.values ?? []), ...flags]);
  const warnings = refuseAndWarn(values, file);
  const config = buildConfig(values, source);
  warnings.push(...checkHosts(config, values));
  const action = values.get('validate')?.at(-1) === true ? 'validate' : 'run';
  return { action, config: { ...config, warnings } };
}

interface ConfigFile {
  path: string;
  text: string;
  values: Map<string, OptionValue[]>;
}

function readConfigFile(source: ConfigSource, flags: Values): ConfigFile | undefined {
  const given = flags.get('config-file')?.at(-1) as string | undefined;
  const path = given ?? defaultConfigFile;
  let text: string;
  try {
    text = source.readFile(path);
  } catch (error) {
    if (given === undefined && errnoOf(error) === 'ENOENT') return undefined;
    throw invalid(`unable to configure the daemon with file ${path}: ${messageOf(error)}`);
  }
  return { path, text, values: fileValues(path, text) };
}

function fileValues(path: string, text: string): Map<string, OptionValue[]> {
  if (text.trim() === '') return new Map();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const line = /line (\d+)/.exec(messageOf(error))?.[1];
    const where = line === undefined ? path : `${path}, line ${line}`;
    throw invalid(`unable to configure the daemon with file ${where}: ${messageOf(error)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid(`unable to configure the daemon with file ${path}: not a JSON object`);
  }
  const byKey = new Map(
    daemonOptions.flatMap(option => (option.key === undefined ? [] : [[option.key, option]])),
  );
  const values = new Map<string, OptionValue[]>();
  for (const [key, value] of Object.entries(json)) {
    const option = byKey.get(key) as DaemonOption | undefined;
    const where = `${path}, line ${lineOf(text, key)}`;
    if (option === undefined) {
      throw invalid(
        `unable to configure the daemon with file ${where}: the following directives don't match any configuration option: ${key}`,
      );
    }
    try {
      values.set(option.flag, option.type.fromJson(value));
    } catch (error) {
      throw invalid(
        `unable to configure the daemon with file ${where}: invalid value for "${key}": ${messageOf(error)}`,
      );
    }
  }
  return values;
}

/** Where a key stands; JSON.parse does not tell. */
function lineOf(text: string, key: string): number {
  const at = text.indexOf(JSON.stringify(key));
  return at < 0 ? 1 : text.slice(0, at).split('\n').length;
}

/** dockerd's rule: an option is a flag or a directive, not both; lists neither. */
function refuseConflicts(flags: Values, file: ConfigFile | undefined): void {
  if (file === undefined) return;
  const both = daemonOptions.filter(
    ({ flag, key }) => key !== undefined && flags.has(flag) && file.values.has(flag),
  );
  if (both.length === 0) return;
  const show = (values: OptionValue[] | undefined) =>
    values?.length === 1 ? String(values[0]) : `[${values?.join(' ')}]`;
  const conflicts = both.map(
    ({ flag, key }) =>
      `${key}: (from flag: ${show(flags.get(flag))}, from file: ${show(file.values.get(flag))})`,
  );
  const lines = both.map(({ key }) => lineOf(file.text, key!));
  throw invalid(
    `unable to configure the daemon with file ${file.path}: the following directives are specified both as a flag and in the configuration file: ${conflicts.join(', ')} (line ${lines.join(', ')})`,
  );
}

/** @returns warnings for options that are accepted and mean nothing here */
function refuseAndWarn(values: Values, file: ConfigFile | undefined): string[] {
  const warnings: string[] = [];
  for (const option of daemonOptions) {
    const given = values.get(option.flag);
    if (given === undefined) continue;
    const fromFile = file?.values.has(option.flag) === true;
    const where = fromFile
      ? `"${option.key}" (${file.path}, line ${lineOf(file.text, option.key!)})`
      : `--${option.flag}`;
    const supported = option.supports === undefined || given.every(value => option.supports!(value));
    if (!supported) {
      throw new EngineError('notImplemented', `${where}: ${given.join(' ')} is not supported`);
    }
    if (option.meaningless !== undefined) warnings.push(`${where} has no effect: ${option.meaningless}`);
  }
  return warnings;
}

type Values = ReadonlyMap<string, OptionValue[]>;

/** Typed views of the merged values. */
function readersOf(values: Values) {
  const all = (flag: string) => (values.get(flag) ?? []).map(String);
  return {
    all,
    last: (flag: string) => all(flag).at(-1) || undefined,
    isSet: (flag: string, whenMissing = false) =>
      (values.get(flag)?.at(-1) as boolean | undefined) ?? whenMissing,
    number: (flag: string) => values.get(flag)?.at(-1) as number | undefined,
  };
}

function buildConfig(values: Values, source: ConfigSource): Omit<DaemonConfig, 'warnings'> {
  const { all, last, isSet } = readersOf(values);
  const tls = readTls(values, source);
  const hosts = all('host').length === 0 ? [defaultHost] : all('host');
  return {
    dataRoot: last('data-root') ?? defaultDataRoot,
    storageDriver: (last('storage-driver') || undefined) as SnapshotDriverName | undefined,
    execRoot: last('exec-root') ?? defaultExecRoot,
    pidFile: last('pidfile') ?? `${defaultExecRoot}/gantryd.pid`,
    hosts: hosts.map(host => parseHost(host, tls !== undefined)),
    metricsHost: parseMetricsAddress(last('metrics-addr')),
    group: last('group') ?? 'docker',
    logLevel: isSet('debug') ? 'debug' : ((last('log-level') ?? 'info') as DaemonConfig['logLevel']),
    tls,
    defaultRuntime: last('default-runtime'),
    runtimes: readRuntimes(all('add-runtime')),
    usernsRemap: last('userns-remap') ?? '',
    settings: engineSettings(values, source),
    network: networkConfig(values),
  };
}

function engineSettings(values: Values, source: ConfigSource): EngineSettings {
  const { all, last, isSet, number } = readersOf(values);
  return {
    logDriver: last('log-driver') ?? 'local',
    logOptions: keyValues(all('log-opt')),
    defaultUlimits: all('default-ulimit').map(parseUlimit),
    defaultShmSizeBytes: parseByteSize(last('default-shm-size') ?? '64M'),
    cgroupParent: last('cgroup-parent') ?? '',
    initPath: last('init-path'),
    init: isSet('init'),
    noNewPrivileges: isSet('no-new-privileges'),
    seccomp: readSeccomp(last('seccomp-profile'), source),
    defaultIpcMode: requireIpcMode(last('default-ipc-mode') ?? 'private'),
    defaultCgroupnsMode: requireCgroupnsMode(last('default-cgroupns-mode')),
    labels: all('label').map(requireLabel),
    debug: isSet('debug'),
    proxies: readProxies(values, source.env),
    registryMirrors: all('registry-mirror'),
    insecureRegistries: all('insecure-registry'),
    shutdownTimeoutMs: requireAtLeast(0, 'shutdown-timeout', number('shutdown-timeout') ?? 15) * 1000,
    maxConcurrentDownloads:
      requireAtLeast(0, 'max concurrent downloads', number('max-concurrent-downloads') ?? 3) || 3,
    maxConcurrentUploads:
      requireAtLeast(0, 'max concurrent uploads', number('max-concurrent-uploads') ?? 5) || 5,
    maxDownloadAttempts: requireAtLeast(1, 'max download attempts', number('max-download-attempts') ?? 5),
    builderGc: readBuilderGc(JSON.parse(last('builder') ?? '{}')),
    builderEntitlements: readBuilderEntitlements(JSON.parse(last('builder') ?? '{}')),
    imageCollection: readImageCollection(all('image-gc')),
    diskBudget: readDiskBudget(all('disk-budget')),
  };
}

/** `size=20GB`, `keep-free=2GB`, `unused-for=1h`. @throws EngineError `invalid` */
function readDiskBudget(options: string[]): DiskBudget | undefined {
  if (options.length === 0) return undefined;
  const budget: DiskBudget = { unusedForMs: 60 * 60 * 1000 };
  for (const option of options) {
    const [name = '', value = ''] = option.split('=', 2);
    if (name === 'size') budget.sizeBytes = parseByteSize(value);
    else if (name === 'keep-free') budget.keepFreeBytes = parseByteSize(value);
    else if (name === 'unused-for') budget.unusedForMs = parseGoDuration(value) / 1e6;
    else throw invalid(`disk-budget: unknown option "${name}": want size, keep-free and unused-for`);
  }
  if (budget.sizeBytes === undefined && budget.keepFreeBytes === undefined)
    throw invalid('disk-budget: size or keep-free is missing');
  if (budget.unusedForMs < 0) throw invalid('disk-budget: nothing may be negative');
  return budget;
}

/** `keep-storage=20GB`, `unused-for=24h`. @throws EngineError `invalid` */
function readImageCollection(options: string[]): CollectionPolicy | undefined {
  if (options.length === 0) return undefined;
  const policy: Partial<CollectionPolicy> = {};
  for (const option of options) {
    const [name = '', value = ''] = option.split('=', 2);
    if (name === 'keep-storage') policy.keepBytes = parseByteSize(value);
    else if (name === 'unused-for') policy.unusedForMs = parseGoDuration(value) / 1e6;
    else throw invalid(`image-gc: unknown option "${name}": want keep-storage and unused-for`);
  }
  const { keepBytes, unusedForMs = 24 * 60 * 60 * 1000 } = policy;
  if (keepBytes === undefined) throw invalid('image-gc: keep-storage is missing');
  if (keepBytes < 0 || unusedForMs < 0) throw invalid('image-gc: nothing may be negative');
  return { keepBytes, unusedForMs };
}

function networkConfig(values: Values): NetworkConfig {
  const { all, last, isSet, number } = readersOf(values);
  const pools = all('default-address-pool').map(parseAddressPool);
  return {
    bip: last('bip') || undefined,
    bip6: last('bip6') || undefined,
    fixedCidr: last('fixed-cidr') || undefined,
    fixedCidr6: last('fixed-cidr-v6') || undefined,
    defaultGateway: last('default-gateway') || undefined,
    defaultGateway6: last('default-gateway-v6') || undefined,
    ipv6: isSet('ipv6'),
    driverOptions: driverOptions(all('default-network-opt')),
    bridgeName: last('bridge'),
    firewallTable: last('firewall-table'),
    pools: pools.length === 0 ? undefined : pools,
    interContainer: isSet('icc', true),
    masquerade: isSet('ip-masq', true),
    firewall: isSet('iptables', true),
    firewallForIPv6: isSet('ip6tables', true),
    userlandProxy: isSet('userland-proxy', true),
    ipForward: isSet('ip-forward', true),
    ipForwardNoDrop: isSet('ip-forward-no-drop'),
    mtu: number('mtu') || undefined,
    hostBindingIpv4: last('ip'),
    hostGatewayIp: last('host-gateway-ip'),
    dns: all('dns'),
    dnsSearch: all('dns-search'),
    dnsOptions: all('dns-opt'),
  };
}

/** `bridge=com.docker.network.driver.mtu=1400` */
function driverOptions(texts: string[]): Record<string, Record<string, string>> {
  const options: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [driver = '', name = '', ...value] = text.split('=');
    options[driver] = { ...options[driver], [name]: value.join('=') };
  }
  return options;
}

/** With `--tlsverify` only clients with a certificate of the given authority get through. */
function readTls(values: Values, source: ConfigSource): TlsOptions | undefined {
  const { last, isSet } = readersOf(values);
  const verify = isSet('tlsverify');
  if (!verify && !isSet('tls')) return undefined;
  const read = (flag: string, path: string): string => {
    try {
      return source.readFile(path);
    } catch (error) {
      throw invalid(`--${flag}: could not read ${path}: ${messageOf(error)}`);
    }
  };
  return {
    cert: read('tlscert', last('tlscert') ?? '/etc/gantry/cert.pem'),
    key: read('tlskey', last('tlskey') ?? '/etc/gantry/key.pem'),
    ...(verify ? { ca: read('tlscacert', last('tlscacert') ?? '/etc/gantry/ca.pem') } : {}),
    requestCert: verify,
    rejectUnauthorized: verify,
  };
}

/** Who can reach the API is root on this machine: without client certificates it must be asked for in so many words. */
function checkHosts(config: Pick<DaemonConfig, 'hosts' | 'tls'>, values: Values): string[] {
  const allowed = ['tls', 'tlsverify'].some(flag => values.get(flag)?.at(-1) === false);
  const warnings: string[] = [];
  for (const host of config.hosts) {
    if (host.kind === 'unix' || config.tls?.requestCert === true) continue;
    const text = hostText(host);
    if (!isLoopbackHost(host) && !allowed) {
      throw invalid(
        `host "${text}": whoever reaches it would be root on this machine: use --tlsverify with --tlscacert, --tlscert and --tlskey, or say --tlsverify=false to allow it all the same`,
      );
    }
    warnings.push(
      `host "${text}" asks for no client certificate: everybody who reaches it is root on this machine`,
    );
  }
  return warnings;
}

function keyValues(texts: string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map(text => {
      const equals = text.indexOf('=');
      if (equals < 1) throw invalid(`invalid log option "${text}": want NAME=VALUE`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** As dockerd words it. */
function requireAtLeast(least: number, what: string, value: number): number {
  if (value < least) throw invalid(`invalid ${what}: ${value}`);
  return value;
}

/** As dockerd words it. `default` is how its older versions call the built-in profile. */
function readSeccomp(named: string | undefined, source: ConfigSource): SeccompDefault {
  if (named === undefined || named === 'builtin' || named === 'default') {
    return { name: 'builtin', profile: 'default' };
  }
  if (named === 'unconfined') return { name: named, profile: 'unconfined' };
  let text: string;
  try {
    text = source.readFile(named);
  } catch (error) {
    throw invalid(`opening seccomp profile (${named}) failed: ${messageOf(error)}`);
  }
  try {
    return { name: named, profile: parseSeccompProfile(text) };
  } catch (error) {
    throw invalid(`seccomp profile ${named}: ${messageOf(error)}`);
  }
}

/** From flags, from the file's `proxies`, or from the environment, which may have either spelling. */
function readProxies(values: Values, env: ConfigSource['env']): Proxies {
  const inFile = new Map(
    (values.get('proxies') ?? []).map(entry => {
      const [, name = '', value = ''] = /^([^=]*)=([\s\S]*)$/.exec(String(entry)) ?? [];
      return [name, value];
    }),
  );
  const read = (name: string) => {
    const flag = values.get(name)?.at(-1) as string | undefined;
    const filed = inFile.get(name);
    if (flag !== undefined && filed !== undefined) {
      throw invalid(
        `the following directives are specified both as a flag and in the configuration file: ${name}: (from flag: ${withoutSecrets(flag)}, from file: ${withoutSecrets(filed)})`,
      );
    }
    const variable = name.replace('-', '_');
    return flag ?? filed ?? env[variable.toUpperCase()] ?? env[variable] ?? '';
  };
  return {
    http: parseProxy(read('http-proxy')),
    https: parseProxy(read('https-proxy')),
    except: read('no-proxy'),
  };
}

/** @param entries JSON, as the option's type writes it */
function readRuntimes(entries: readonly string[]): Record<string, ConfiguredRuntime> {
  const runtimes = new Map<string, ConfiguredRuntime>();
  for (const entry of entries) {
    const { name, path, args } = JSON.parse(entry) as { name: string } & ConfiguredRuntime;
    if (name === 'crun' || name === 'runc') throw invalid(`runtime name '${name}' is reserved`);
    if (runtimes.has(name)) throw invalid(`runtime '${name}' was already defined`);
    runtimes.set(name, { path, args });
  }
  return Object.fromEntries(runtimes);
}

/** `127.0.0.1:9323`; without a host every address of this machine. */
function parseMetricsAddress(text: string | undefined): Host | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:\[([^\]]+)\]|([^:/]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) throw invalid(`invalid metrics address "${text}": want HOST:PORT`);
  return { kind: 'tcp', address: match[1] || match[2] || '0.0.0.0', port };
}

function requireIpcMode(mode: string): EngineSettings['defaultIpcMode'] {
  if (mode === 'private' || mode === 'shareable') return mode;
  const fault = /^(none|host|container:.+)$/.test(mode) ? 'not supported' : 'invalid';
  throw invalid(`default IPC mode setting (${mode}) is ${fault}; use "shareable" or "private"`);
}

function requireCgroupnsMode(mode: string | undefined): EngineSettings['defaultCgroupnsMode'] {
  if (mode === undefined || mode === 'private' || mode === 'host') return mode;
  throw invalid(`default cgroup namespace mode (${mode}) is invalid; use "host" or "private"`);
}

function requireLabel(text: string): string {
  if (/^[^=]+=/.test(text)) return text;
  throw invalid(`bad attribute format: ${text}`);
}

/** `base=10.10.0.0/16,size=24` */
function parseAddressPool(text: string): { base: string; size: number } {
  const fields = Object.fromEntries(text.split(',').map(part => part.split('=', 2)));
  const { base, size, ...rest } = fields as Record<string, string | undefined>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`unexpected key '${unknown}' in '${text}'`);
  if (base === undefined || !/^\d{1,3}$/.test(size ?? '')) {
    throw invalid(`invalid default address pool "${text}": want base=SUBNET,size=BITS`);
  }
  return { base, size: Number(size) };
}

/** `nofile=1024:2048`; one number is both. */
function parseUlimit(text: string): { name: string; soft: number; hard: number } {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw invalid(`invalid ulimit argument: ${text}`);
  const [, name = '', soft = '', hard = soft] = match;
  if (Number(soft) > Number(hard) && Number(hard) !== -1) {
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { name, soft: Number(soft), hard: Number(hard) };
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
