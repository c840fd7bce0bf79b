import { entryOf, isNull, mapping, scalar, textOf } from '../node.ts';
import {
  distinctTexts,
  driverOptions,
  labels,
  listOf,
  mapOf,
  namesOrMap,
  object,
  options,
  textOrTexts,
  textOrUniqueTexts,
  textsOrNumbers,
  uniqueTexts,
  uniqueTextsOrNumbers,
  valueText,
  variables,
} from '../shapes/collections.ts';
import { command, healthTest } from '../shapes/command.ts';
import { extraHosts } from '../shapes/hosts.ts';
import {
  configMount,
  configTarget,
  deviceMapping,
  deviceRate,
  deviceWeight,
  mountTarget,
  secretMount,
  serviceMount,
} from '../shapes/mounts.ts';
import { ports } from '../shapes/ports.ts';
import { gpus, ulimits } from '../shapes/resources.ts';
import {
  byteSize,
  decimal,
  durationOrUnset,
  flag,
  flagOrUnset,
  goText,
  matching,
  oneOf,
  path,
  text,
  textOrNull,
  whole,
  wholeOrUnset,
} from '../shapes/scalars.ts';
import { fault, mergeMappings, replace, type Shape } from '../shapes/shape.ts';
import { build } from './build.ts';
import { deploy } from './deploy.ts';

/** What a service, network, volume, config or secret may be called. */
export const resourceName = /^[a-zA-Z0-9._-]+$/;

const hook = object(
  {
    command: { ...command, inJsonWhenEmpty: true },
    user: text,
    privileged: flag,
    working_dir: text,
    environment: variables,
  },
  { required: ['command'] },
);

const watch = object(
  {
    path,
    action: oneOf('rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'),
    target: text,
    exec: { ...hook, inJsonWhenEmpty: true },
    include: textOrTexts,
    ignore: textOrTexts,
    initial_sync: flag,
  },
  { required: ['path', 'action'] },
);

const dependency = object(
  {
    condition: oneOf('service_started', 'service_healthy', 'service_completed_successfully'),
    restart: flag,
    required: { ...flag, keepsEmpty: true },
  },
  {
    required: ['condition'],
    completed(entries, node) {
      if (!entries.has('required')) entries.set('required', scalar(true, node));
    },
  },
);

const attachment = object(
  {
    aliases: uniqueTexts,
    driver_opts: driverOptions,
    gw_priority: whole(),
    interface_name: text,
    ipv4_address: text,
    ipv6_address: text,
    link_local_ips: uniqueTexts,
    mac_address: text,
    priority: whole(),
  },
  { mayBeNull: true, keepsEmpty: true },
);

const envFile: Shape = {
  ...object(
    { path, required: { ...flag, keepsEmpty: true }, format: text },
    {
      shorthand: 'path',
      required: ['path'],
      completed(entries, node) {
        if (!entries.has('required')) entries.set('required', scalar(true, node));
      },
    },
  ),
  printed: file => ((file as { required: boolean }).required ? (file as { path: string }).path : file),
};

const loggingFields = { driver: text, options };
/** Options of another driver mean nothing to this one: they are not merged. */
const logging: Shape = {
  ...object(loggingFields, { keepsEmpty: true }),
  merge(base, over, path) {
    const driver = textOf(entryOf(over, 'driver'));
    const earlier = textOf(entryOf(base, 'driver'));
    if (base.kind !== 'mapping' || over.kind !== 'mapping') return isNull(over) ? base : over;
    if (driver !== undefined && earlier !== undefined && driver !== earlier) return over;
    return mergeMappings(base, over, path, { canonical: node => node, fields: loggingFields });
  },
};

const optionText: Shape = {
  canonical(node, path, { interpolates }) {
    if (node.kind !== 'scalar' || node.value === null)
      throw fault(node, `${path} must be a boolean, number or string`);
    return interpolates ? scalar(goText(node.value), node) : node;
  },
};

/** An option may have several values. */
const providerOptions = mapOf(listOf(optionText, { singleOfAny: true }));

const storageOptions = mapOf(optionText);

const ownService = object({
  profiles: uniqueTexts,
  annotations: labels,
  attach: flagOrUnset,
  build,
  develop: object({ watch: listOf(watch) }, { mayBeNull: true, keepsEmpty: true }),
  blkio_config: object(
    {
      weight: whole(),
      weight_device: listOf(deviceWeight),
      device_read_bps: listOf(deviceRate),
      device_read_iops: listOf(deviceRate),
      device_write_bps: listOf(deviceRate),
      device_write_iops: listOf(deviceRate),
    },
    { keepsEmpty: true },
  ),
  cap_add: uniqueTexts,
  cap_drop: uniqueTexts,
  cgroup_parent: text,
  cgroup: oneOf('host', 'private'),
  cpu_count: whole({ min: 0 }),
  cpu_percent: whole({ min: 0, max: 100 }),
  cpu_period: whole(),
  cpu_quota: whole(),
  cpu_rt_period: whole(),
  cpu_rt_runtime: whole(),
  cpus: decimal,
  cpuset: text,
  cpu_shares: whole(),
  command: { ...command, inJsonWhenEmpty: true },
  configs: listOf(configMount, { keyOf: configTarget }),
  container_name: matching(/[a-zA-Z0-9][a-zA-Z0-9_.-]+/, 'a container name: want [a-zA-Z0-9][a-zA-Z0-9_.-]+'),
  credential_spec: object({ config: text, file: text, registry: text }, { keepsEmpty: true }),
  depends_on: namesOrMap(dependency, resourceName, item =>
    mapping([['condition', scalar('service_started', item)]], item),
  ),
  deploy,
  device_cgroup_rules: distinctTexts,
  devices: listOf(deviceMapping, { keyOf: mountTarget }),
  dns: textOrUniqueTexts,
  dns_opt: uniqueTexts,
  dns_search: textOrUniqueTexts,
  domainname: text,
  entrypoint: { ...command, inJsonWhenEmpty: true },
  provider: object({ type: text, options: providerOptions }, { required: ['type'] }),
  environment: variables,
  env_file: listOf(envFile, { single: true, keyOf: item => valueText(entryOf(item, 'path') ?? item) }),
  expose: uniqueTextsOrNumbers,
  extends: object({ file: path, service: text }, { shorthand: 'service', required: ['service'] }),
  external_links: distinctTexts,
  extra_hosts: extraHosts,
  group_add: textsOrNumbers,
  gpus,
  hostname: text,
  healthcheck: object(
    {
      test: healthTest,
      timeout: durationOrUnset,
      interval: durationOrUnset,
      retries: wholeOrUnset({ min: 0 }),
      start_period: durationOrUnset,
      start_interval: durationOrUnset,
      disable: flag,
    },
    { keepsEmpty: true },
  ),
  image: text,
  init: flagOrUnset,
  ipc: text,
  isolation: text,
  labels,
  label_file: listOf(path, { single: true, keyOf: valueText }),
  links: uniqueTexts,
  logging,
  mem_limit: byteSize,
  mem_reservation: byteSize,
  memswap_limit: byteSize,
  mem_swappiness: byteSize,
  mac_address: text,
  models: namesOrMap(
    object({ endpoint_var: text, model_var: text }, { mayBeNull: true, keepsEmpty: true }),
    resourceName,
    item => scalar(null, item),
  ),
  network_mode: text,
  networks: namesOrMap(attachment, resourceName, item => scalar(null, item)),
  oom_kill_disable: flag,
  oom_score_adj: whole({ min: -1000, max: 1000 }),
  pid: textOrNull,
  pids_limit: whole(),
  platform: text,
  ports,
  privileged: flag,
  pull_policy: matching(
    /^(always|never|build|if_not_present|missing|refresh|daily|weekly|every_(\d+[wdhms])+)$/,
    'a pull policy: want always, never, build, missing, daily, weekly or every_DURATION',
  ),
  pull_refresh_after: text,
  read_only: flag,
  restart: text,
  runtime: text,
  scale: wholeOrUnset({ min: 0 }),
  secrets: listOf(secretMount, { keyOf: mountTarget }),
  security_opt: distinctTexts,
  shm_size: byteSize,
  stdin_open: flag,
  stop_grace_period: durationOrUnset,
  stop_signal: text,
  storage_opt: storageOptions,
  sysctls: labels,
  tmpfs: textOrUniqueTexts,
  tty: flag,
  ulimits,
  use_api_socket: flag,
  user: text,
  userns_mode: text,
  uts: text,
  volumes: listOf(serviceMount, { keyOf: mountTarget }),
  volumes_from: distinctTexts,
  working_dir: text,
  post_start: listOf(hook),
  pre_stop: listOf(hook),
});

/**
 * The attributes of a service, in the order in which Docker prints and hashes them. A key with nothing behind it leaves
 * what the service that is extended says.
 */
export const service: Shape = {
  ...ownService,
  canonical(node, path, reading) {
    if (node.kind !== 'mapping' || isNull(node.entries.get('extends')))
      return ownService.canonical(node, path, reading);
    const said = [...node.entries].filter(
      ([key, value]) =>
        !isNull(value) || value.tag !== undefined || ownService.fields?.[key]?.merge === replace,
    );
    return ownService.canonical(mapping(said, node), path, reading);
  },
};
