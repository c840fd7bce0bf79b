import { readBuilderEntitlements, readBuilderGc } from './builder-gc.ts';

export type OptionValue = string | number | boolean;

/** How the values of an option are written. Faults are thrown as plain Errors; the caller says where they are. */
export interface OptionType {
  /** A flag of this type is followed by its value. */
  takesValue: boolean;
  /** Values of a repeated flag add up; otherwise the last counts. */
  many: boolean;
  fromText(text: string): OptionValue[];
  fromJson(value: unknown): OptionValue[];
}

export interface DaemonOption {
  flag: string;
  short?: string;
  /** In daemon.json; undefined: only a flag. */
  key?: string;
  /** There is no such flag. */
  fileOnly?: boolean;
  type: OptionType;
  help: string;
  /** Values that do something here; the others are refused. undefined: all. */
  supports?: (value: OptionValue) => boolean;
  /** The option is accepted with a warning: why it means nothing here. */
  meaningless?: string;
}

const text: OptionType = {
  takesValue: true,
  many: false,
  fromText: value => [value],
  fromJson: value => [requireType(value, 'string') as string],
};

const flag: OptionType = {
  takesValue: false,
  many: false,
  fromText: value => [parseBool(value)],
  fromJson: value => [requireType(value, 'boolean') as boolean],
};

const integer: OptionType = {
  takesValue: true,
  many: false,
  fromText: value => [parseInteger(value)],
  fromJson: value => [parseInteger(String(requireType(value, 'number')))],
};

/** An object that is kept as text once it is known to be right. */
const builder: OptionType = {
  takesValue: true,
  many: false,
  fromText: value => [value],
  fromJson: value => {
    readBuilderGc(value);
    readBuilderEntitlements(value);
    return [JSON.stringify(value)];
  },
};

/** A list of texts. */
const texts: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => [value],
  fromJson: value => {
    if (!Array.isArray(value)) throw new Error(`want a list, got ${nameOf(value)}`);
    return value.map(item => requireType(item, 'string') as string);
  },
};

/** `name=value`; an object in the file. */
const pairs: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => [value],
  fromJson: value => {
    const object = requireType(value, 'object') as Record<string, unknown>;
    return Object.entries(object).map(([name, item]) => `${name}=${scalar(item)}`);
  },
};

/** `driver=name=value`; an object of objects in the file. */
const pairsOfPairs: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => {
    if (!/^[^=]+=[^=]+=/.test(value)) throw new Error('want DRIVER=NAME=VALUE');
    return [value];
  },
  fromJson: value => {
    const object = requireType(value, 'object') as Record<string, unknown>;
    return Object.entries(object).flatMap(([driver, options]) =>
      pairs.fromJson(options).map(pair => `${driver}=${pair}`),
    );
  },
};

/** `base=…,size=…`; a list of objects in the file. */
const addressPools: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => [value],
  fromJson: value => {
    if (!Array.isArray(value)) throw new Error(`want a list, got ${nameOf(value)}`);
    return value.map(item => {
      const { base, size } = requireType(item, 'object') as Record<string, unknown>;
      return `base=${scalar(base)},size=${scalar(size)}`;
    });
  },
};

/** `nofile=1024:2048`; in the file `{"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}`. */
const ulimits: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => [value],
  fromJson: value => {
    const object = requireType(value, 'object') as Record<string, unknown>;
    return Object.entries(object).map(([name, item]) => {
      const { Soft, Hard } = requireType(item, 'object') as Record<string, unknown>;
      return `${name}=${scalar(Soft)}:${scalar(Hard)}`;
    });
  },
};

/** `name=path`; in the file `{"name": {"path": "/bin/it", "runtimeArgs": ["--debug"]}}`. As JSON of name, path, args. */
const runtimes: OptionType = {
  takesValue: true,
  many: true,
  fromText: value => {
    const [, name = '', path = ''] = /^([^=]*)=(.*)$/s.exec(value) ?? [];
    if (name.trim() === '' || path.trim() === '') throw new Error(`invalid runtime argument: ${value}`);
    return [JSON.stringify({ name: name.trim().toLowerCase(), path: path.trim(), args: [] })];
  },
  fromJson: value =>
    Object.entries(requireType(value, 'object') as Record<string, unknown>).map(([name, item]) => {
      const { path, runtimeArgs = [], ...rest } = requireType(item, 'object') as Record<string, unknown>;
      const unknown = Object.keys(rest)[0];
      if (unknown !== undefined) throw new Error(`runtime "${name}": ${unknown} is not supported`);
      if (typeof path !== 'string' || path === '') throw new Error(`runtime "${name}": path is missing`);
      return JSON.stringify({ name, path, args: texts.fromJson(runtimeArgs) });
    }),
};

/** `{"http-proxy": "http://proxy:3128"}`, as `name=value`. */
const proxies: OptionType = {
  ...pairs,
  fromJson: value => {
    const object = requireType(value, 'object') as Record<string, unknown>;
    const unknown = Object.keys(object).find(name => !/^(https?|no)-proxy$/.test(name));
    if (unknown !== undefined) throw new Error(`there is no proxies.${unknown}`);
    return Object.entries(object).map(([name, item]) => `${name}=${requireType(item, 'string')}`);
  },
};

function oneOf(...values: readonly string[]): OptionType {
  const check = (value: string): OptionValue[] => {
    if (values.includes(value)) return [value];
    throw new Error(`want one of ${values.join(', ')}`);
  };
  return {
    takesValue: true,
    many: false,
    fromText: check,
    fromJson: value => check(requireType(value, 'string') as string),
  };
}

const onlyFalse = (value: OptionValue) => value === false;
const onlyZero = (value: OptionValue) => value === 0;
const never = () => false;
const nothingToChoose = new Set<DaemonOption['supports']>([onlyFalse, onlyZero, never]);
const noSwarm = 'there is no swarm mode';
const noContainerd = 'there is no containerd here';

/** Every flag and directive of dockerd (20.10 to 28), and what Gantry does with it. */
export const daemonOptions: readonly DaemonOption[] = [
  {
    flag: 'data-root',
    key: 'data-root',
    type: text,
    help: 'Directory of everything that lasts (default "/var/lib/gantry")',
  },
  {
    flag: 'exec-root',
    key: 'exec-root',
    type: text,
    help: 'Directory of what a reboot clears (default "/run/gantry")',
  },
  {
    flag: 'pidfile',
    short: 'p',
    key: 'pidfile',
    type: text,
    help: 'File for the daemon\'s process id (default "/run/gantry/gantryd.pid")',
  },
  {
    flag: 'host',
    short: 'H',
    key: 'hosts',
    type: texts,
    help: 'Socket to listen on, unix:// or tcp:// (default "unix:///run/gantry/gantry.sock")',
  },
  {
    flag: 'group',
    short: 'G',
    key: 'group',
    type: text,
    help: 'Group of the unix sockets (default "docker")',
  },
  { flag: 'config-file', type: text, help: 'Configuration file (default "/etc/gantry/daemon.json")' },
  { flag: 'validate', type: flag, help: 'Check the configuration and exit' },
  { flag: 'help', short: 'h', type: flag, help: 'Print usage' },
  { flag: 'version', short: 'v', type: flag, help: 'Print version' },
  { flag: 'debug', short: 'D', key: 'debug', type: flag, help: 'Log more' },
  {
    flag: 'log-level',
    short: 'l',
    key: 'log-level',
    type: oneOf('debug', 'info', 'warn', 'error', 'fatal'),
    help: 'How much to log (default "info")',
  },
  { flag: 'tls', key: 'tls', type: flag, help: 'Use TLS' },
  { flag: 'tlsverify', key: 'tlsverify', type: flag, help: 'Use TLS and ask for client certificates' },
  {
    flag: 'tlscacert',
    key: 'tlscacert',
    type: text,
    help: 'Certificates of the authorities trusted for clients',
  },
  { flag: 'tlscert', key: 'tlscert', type: text, help: "The server's certificate" },
  { flag: 'tlskey', key: 'tlskey', type: text, help: "The server's key" },
  { flag: 'log-driver', key: 'log-driver', type: text, help: 'Log driver of containers (default "local")' },
  { flag: 'log-opt', key: 'log-opts', type: pairs, help: 'Option of the log driver' },
  { flag: 'dns', key: 'dns', type: texts, help: 'Name server of containers' },
  { flag: 'dns-search', key: 'dns-search', type: texts, help: 'Search domain of containers' },
  { flag: 'dns-opt', key: 'dns-opts', type: texts, help: 'resolv.conf option of containers' },
  { flag: 'bip', key: 'bip', type: text, help: 'Address and subnet of the default bridge' },
  {
    flag: 'firewall-table',
    key: 'firewall-table',
    type: text,
    help: 'Name of the nftables table; two daemons in one network namespace need two (default "gantry")',
  },
  {
    flag: 'bridge',
    short: 'b',
    key: 'bridge',
    type: text,
    help: 'Link name of the default bridge; "none": there is none',
  },
  {
    flag: 'default-address-pool',
    key: 'default-address-pools',
    type: addressPools,
    help: 'Addresses for new networks, base=SUBNET,size=BITS',
  },
  { flag: 'mtu', key: 'mtu', type: integer, help: 'MTU of the default bridge' },
  {
    flag: 'icc',
    key: 'icc',
    type: flag,
    help: 'Containers on the default bridge may talk to each other (default true)',
  },
  { flag: 'ip', key: 'ip', type: text, help: 'Address to publish ports on (default 0.0.0.0)' },
  {
    flag: 'host-gateway-ip',
    key: 'host-gateway-ip',
    type: text,
    help: 'What host-gateway means in --add-host',
  },
  { flag: 'registry-mirror', key: 'registry-mirrors', type: texts, help: 'Mirror of Docker Hub' },
  {
    flag: 'insecure-registry',
    key: 'insecure-registries',
    type: texts,
    help: 'Registry without TLS or with an unknown certificate',
  },
  { flag: 'label', key: 'labels', type: texts, help: 'NAME=VALUE shown by info' },
  {
    flag: 'default-ulimit',
    key: 'default-ulimits',
    type: ulimits,
    help: 'Ulimit of containers, NAME=SOFT[:HARD]',
  },
  { flag: 'default-shm-size', key: 'default-shm-size', type: text, help: 'Size of /dev/shm (default 64M)' },
  { flag: 'cgroup-parent', key: 'cgroup-parent', type: text, help: 'Parent cgroup of containers' },
  { flag: 'init-path', key: 'init-path', type: text, help: 'Program for --init' },
  { flag: 'default-runtime', key: 'default-runtime', type: text, help: 'OCI runtime of containers' },
  {
    flag: 'shutdown-timeout',
    key: 'shutdown-timeout',
    type: integer,
    help: 'Seconds to let running requests end (default 15)',
  },
  {
    flag: 'storage-driver',
    short: 's',
    key: 'storage-driver',
    type: text,
    help: 'overlay2, fuse-overlayfs or vfs (default: the first of them that works)',
    supports: value => ['', 'overlay2', 'fuse-overlayfs', 'vfs'].includes(String(value)),
  },
  {
    flag: 'exec-opt',
    key: 'exec-opts',
    type: texts,
    help: 'native.cgroupdriver=cgroupfs',
    supports: value => value === 'native.cgroupdriver=cgroupfs',
  },
  {
    flag: 'firewall-backend',
    key: 'firewall-backend',
    type: text,
    help: 'nftables',
    supports: value => value === '' || value === 'nftables',
  },
  {
    flag: 'iptables',
    key: 'iptables',
    type: flag,
    help: 'Have firewall rules for IPv4; without them proxies alone serve published ports (default true)',
  },
  {
    flag: 'ip6tables',
    key: 'ip6tables',
    type: flag,
    help: 'Have firewall rules for IPv6 (default true)',
  },
  {
    flag: 'ip-forward',
    key: 'ip-forward',
    type: flag,
    help: 'Let the kernel forward (default true)',
  },
  {
    flag: 'ip-forward-no-drop',
    key: 'ip-forward-no-drop',
    type: flag,
    help: 'Where that was off before, forward also what is not for a bridge',
  },
  {
    flag: 'ip-masq',
    key: 'ip-masq',
    type: flag,
    help: 'Containers on the default bridge leave under the address of the host (default true)',
  },
  {
    flag: 'live-restore',
    key: 'live-restore',
    type: flag,
    help: 'Containers outlive the daemon',
    meaningless: 'containers always outlive the daemon',
  },
  {
    flag: 'userland-proxy',
    key: 'userland-proxy',
    type: flag,
    help: 'Answer on [::1] and for IPv4 containers on IPv6 (default true)',
  },
  {
    flag: 'userland-proxy-path',
    key: 'userland-proxy-path',
    type: text,
    help: 'Proxy program',
    meaningless: 'the daemon itself is the proxy',
  },
  {
    flag: 'oom-score-adjust',
    key: 'oom-score-adjust',
    type: integer,
    help: 'OOM score of the daemon',
    meaningless: 'no container dies with the daemon',
  },
  {
    flag: 'max-concurrent-downloads',
    key: 'max-concurrent-downloads',
    type: integer,
    help: 'Layers pulled at once (default 3)',
  },
  {
    flag: 'max-concurrent-uploads',
    key: 'max-concurrent-uploads',
    type: integer,
    help: 'Layers pushed at once (default 5)',
  },
  {
    flag: 'max-download-attempts',
    key: 'max-download-attempts',
    type: integer,
    help: 'Tries for each layer (default 5)',
  },
  {
    flag: 'image-gc',
    key: 'image-gc',
    type: pairs,
    help: 'Budget of images no container uses: keep-storage=20GB, unused-for=24h (default: none)',
  },
  {
    flag: 'disk-budget',
    key: 'disk-budget',
    type: pairs,
    help: 'Budget of cache, logs and images no container uses: size=20GB, keep-free=2GB, unused-for=1h (default: none)',
  },
  {
    flag: 'experimental',
    key: 'experimental',
    type: flag,
    help: 'Experimental features',
    meaningless: 'there are none',
  },
  {
    flag: 'feature',
    key: 'features',
    type: pairs,
    help: 'Features of dockerd',
    meaningless: 'features of dockerd cannot be chosen',
  },
  {
    flag: 'raw-logs',
    key: 'raw-logs',
    type: flag,
    help: 'Log without colours',
    meaningless: 'logs have no colours',
  },
  {
    flag: 'log-format',
    key: 'log-format',
    type: oneOf('text', 'json'),
    help: "Format of the daemon's log",
    meaningless: 'it logs JSON',
  },
  {
    flag: 'containerd',
    key: 'containerd',
    type: text,
    help: 'Socket of containerd',
    meaningless: noContainerd,
  },
  {
    flag: 'containerd-namespace',
    key: 'containerd-namespace',
    type: text,
    help: 'Namespace in containerd',
    meaningless: noContainerd,
  },
  {
    flag: 'containerd-plugins-namespace',
    key: 'containerd-plugins-namespace',
    type: text,
    help: 'Namespace in containerd',
    meaningless: noContainerd,
  },
  {
    flag: 'cdi-spec-dir',
    key: 'cdi-spec-dirs',
    type: texts,
    help: 'Directories of device descriptions',
    meaningless: 'CDI devices are not looked for',
  },
  {
    flag: 'swarm-default-advertise-addr',
    key: 'swarm-default-advertise-addr',
    type: text,
    help: 'Swarm address',
    meaningless: noSwarm,
  },
  {
    flag: 'node-generic-resource',
    key: 'node-generic-resources',
    type: texts,
    help: 'Swarm resources',
    meaningless: noSwarm,
  },
  {
    flag: 'network-control-plane-mtu',
    key: 'network-control-plane-mtu',
    type: integer,
    help: 'Swarm MTU',
    meaningless: noSwarm,
  },
  {
    flag: 'network-diagnostic-port',
    key: 'network-diagnostic-port',
    type: integer,
    help: 'Swarm diagnostics',
    meaningless: noSwarm,
  },
  {
    flag: 'metrics-addr',
    key: 'metrics-addr',
    type: text,
    help: 'Address of Prometheus metrics, HOST:PORT; everybody who reaches it may read them',
  },
  {
    flag: 'userns-remap',
    key: 'userns-remap',
    type: text,
    help: 'User and group whose subordinate ids containers get: default, or user[:group]',
  },
  { flag: 'selinux-enabled', key: 'selinux-enabled', type: flag, help: 'SELinux', supports: onlyFalse },
  {
    flag: 'seccomp-profile',
    key: 'seccomp-profile',
    type: text,
    help: 'Seccomp profile of containers: a file, builtin or unconfined (default "builtin")',
  },
  {
    flag: 'no-new-privileges',
    key: 'no-new-privileges',
    type: flag,
    help: 'Containers get no new privileges by default',
  },
  { flag: 'init', key: 'init', type: flag, help: 'An init in all containers' },
  {
    flag: 'default-cgroupns-mode',
    key: 'default-cgroupns-mode',
    type: text,
    help: 'Cgroup namespaces of containers: host or private (default: private with cgroup v2)',
  },
  {
    flag: 'default-ipc-mode',
    key: 'default-ipc-mode',
    type: text,
    help: 'IPC namespaces of containers: private or shareable (default "private")',
  },
  {
    flag: 'default-network-opt',
    key: 'default-network-opts',
    type: pairsOfPairs,
    help: 'Option of new networks of a driver, DRIVER=NAME=VALUE',
  },
  { flag: 'add-runtime', key: 'runtimes', type: runtimes, help: 'Further OCI runtime, NAME=PATH' },
  {
    flag: 'authorization-plugin',
    key: 'authorization-plugins',
    type: texts,
    help: 'Authorization plugins',
    supports: never,
  },
  { flag: 'storage-opt', key: 'storage-opts', type: texts, help: 'Storage options', supports: never },
  { flag: 'ipv6', key: 'ipv6', type: flag, help: 'IPv6 on the default bridge' },
  {
    flag: 'fixed-cidr',
    key: 'fixed-cidr',
    type: text,
    help: 'Subnet that addresses on the default bridge are chosen from',
  },
  {
    flag: 'fixed-cidr-v6',
    key: 'fixed-cidr-v6',
    type: text,
    help: 'IPv6 subnet that addresses on the default bridge are chosen from',
  },
  {
    flag: 'bip6',
    key: 'bip6',
    type: text,
    help: 'IPv6 address and subnet of the default bridge',
  },
  {
    flag: 'default-gateway',
    key: 'default-gateway',
    type: text,
    help: "Default route of containers on the default bridge, instead of the host's address",
  },
  {
    flag: 'default-gateway-v6',
    key: 'default-gateway-v6',
    type: text,
    help: "IPv6 default route of containers on the default bridge, instead of the host's address",
  },
  {
    flag: 'allow-direct-routing',
    key: 'allow-direct-routing',
    type: flag,
    help: 'Reach containers from outside',
    supports: onlyFalse,
  },
  {
    flag: 'allow-nondistributable-artifacts',
    key: 'allow-nondistributable-artifacts',
    type: texts,
    help: 'Push foreign layers',
    supports: never,
  },
  {
    flag: 'cpu-rt-period',
    key: 'cpu-rt-period',
    type: integer,
    help: 'Realtime scheduling',
    supports: onlyZero,
  },
  {
    flag: 'cpu-rt-runtime',
    key: 'cpu-rt-runtime',
    type: integer,
    help: 'Realtime scheduling',
    supports: onlyZero,
  },
  {
    flag: 'cri-containerd',
    key: 'cri-containerd',
    type: flag,
    help: 'containerd with CRI',
    supports: onlyFalse,
  },
  { flag: 'rootless', key: 'rootless', type: flag, help: 'Without root', supports: onlyFalse },
  { flag: 'http-proxy', type: text, help: 'Proxy for registries without TLS' },
  { flag: 'https-proxy', type: text, help: 'Proxy for registries' },
  { flag: 'no-proxy', type: text, help: 'Hosts and networks that are reached without the proxy' },
  {
    flag: 'proxies',
    key: 'proxies',
    fileOnly: true,
    type: proxies,
    help: 'http-proxy, https-proxy, no-proxy',
  },
  {
    flag: 'builder',
    key: 'builder',
    fileOnly: true,
    type: builder,
    help: 'Garbage collection of the build cache, and what builds may be granted',
  },
];

/** What `--help` prints: all but what is refused, or could only be given as it is without. */
export function daemonHelp(): string {
  const lines = daemonOptions
    .filter(({ supports, fileOnly }) => fileOnly !== true && !nothingToChoose.has(supports))
    .sort((a, b) => (a.flag < b.flag ? -1 : 1))
    .map(({ short, flag, help, meaningless }) => {
      const effect = meaningless === undefined ? '' : ` (no effect: ${meaningless})`;
      return `  ${short === undefined ? '    ' : `-${short}, `}--${flag.padEnd(30)} ${help}${effect}`;
    });
  return `Usage:  gantryd [OPTIONS]\n\nThe container daemon.\n\nOptions:\n${lines.join('\n')}\n`;
}

/** strconv.ParseBool */
function parseBool(value: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw new Error(`strconv.ParseBool: parsing "${value}": invalid syntax`);
}

function parseInteger(value: string): number {
  if (/^-?\d+$/.test(value)) return Number(value);
  throw new Error(`strconv.ParseInt: parsing "${value}": invalid syntax`);
}

function requireType(value: unknown, type: 'string' | 'number' | 'boolean' | 'object'): unknown {
  if (typeof value === type && value !== null && !Array.isArray(value)) return value;
  throw new Error(`want ${type === 'object' ? 'an object' : `a ${type}`}, got ${nameOf(value)}`);
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function scalar(value: unknown): string {
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value);
  throw new Error(`want a text, got ${nameOf(value)}`);
}
