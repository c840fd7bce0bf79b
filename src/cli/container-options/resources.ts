import type { DeviceMapping, Resources, ThrottleDevice, Ulimit, WeightDevice } from '../../api/containers.ts';
import { parseBandwidth } from '../../stdx/bandwidth.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { FlagValues } from '../flags.ts';
import { parseBytes } from '../output/units.ts';
import { argument } from './argument.ts';
import { parseGpus } from './gpus.ts';

/** The limits `run`, `create` and `update` know; only those that were given. */
export function planLimits(flags: FlagValues): Partial<Resources> {
  const limits: Partial<Resources> = {};
  const number = (name: string, set: (value: number) => void) => {
    if (flags.changed(name)) set(flags.integer(name));
  };
  const bytes = (name: string, set: (value: number) => void) => {
    if (flags.changed(name)) set(flags.bytes(name));
  };
  number('blkio-weight', value => (limits.BlkioWeight = value));
  number('cpu-period', value => (limits.CpuPeriod = value));
  number('cpu-quota', value => (limits.CpuQuota = value));
  number('cpu-rt-period', value => (limits.CpuRealtimePeriod = value));
  number('cpu-rt-runtime', value => (limits.CpuRealtimeRuntime = value));
  number('cpu-shares', value => (limits.CpuShares = value));
  number('pids-limit', value => (limits.PidsLimit = value));
  bytes('memory', value => (limits.Memory = value));
  bytes('memory-reservation', value => (limits.MemoryReservation = value));
  bytes('memory-swap', value => (limits.MemorySwap = value));
  if (flags.changed('cpus')) limits.NanoCpus = Math.round(Number(flags.string('cpus')) * 1e9);
  if (flags.changed('cpuset-cpus')) limits.CpusetCpus = flags.string('cpuset-cpus');
  if (flags.changed('cpuset-mems')) limits.CpusetMems = flags.string('cpuset-mems');
  if (flags.changed('network-bandwidth')) {
    const { up, down } = parseBandwidth(flags.string('network-bandwidth'));
    limits.GantryNetworkBandwidth = { Up: up, Down: down };
  }
  return limits;
}

/** Those a container can have from its creation on only. */
export function planFixedResources(flags: FlagValues): Partial<Resources> {
  const swappiness = flags.integer('memory-swappiness');
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new EngineError('invalid', `invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const fixed: Partial<Resources> = {
    BlkioDeviceReadBps: flags.list('device-read-bps').map(text => throttle(text, true)),
    BlkioDeviceWriteBps: flags.list('device-write-bps').map(text => throttle(text, true)),
    BlkioDeviceReadIOps: flags.list('device-read-iops').map(text => throttle(text, false)),
    BlkioDeviceWriteIOps: flags.list('device-write-iops').map(text => throttle(text, false)),
    BlkioWeightDevice: flags.list('blkio-weight-device').map(weight),
    CgroupParent: flags.string('cgroup-parent'),
    DeviceCgroupRules: flags
      .list('device-cgroup-rule')
      .map(text => argument('--device-cgroup-rule', text, () => cgroupRule(text))),
    DeviceRequests: flags.changed('gpus')
      ? [argument('--gpus', flags.string('gpus'), () => parseGpus(flags.string('gpus')))]
      : undefined,
    Devices: flags.list('device').map(device),
    MemorySwappiness: swappiness,
    OomKillDisable: flags.on('oom-kill-disable'),
    Ulimits: flags.list('ulimit').map(text => argument('--ulimit', text, () => parseUlimit(text))),
  };
  if (flags.changed('kernel-memory')) fixed.KernelMemory = flags.bytes('kernel-memory');
  return fixed;
}

const ulimitNames =
  /^(core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack)$/;

/** `name=soft[:hard]` */
export function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw new EngineError('invalid', `invalid ulimit argument: ${text}`);
  if (!ulimitNames.test(match[1]!)) throw new EngineError('invalid', `invalid ulimit type: ${match[1]}`);
  const Soft = Number(match[2]);
  const Hard = match[3] === undefined ? Soft : Number(match[3]);
  if (Hard !== -1 && (Soft > Hard || Soft === -1)) {
    throw new EngineError(
      'invalid',
      `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`,
    );
  }
  return { Name: match[1]!, Soft, Hard };
}

function throttle(text: string, inBytes: boolean): ThrottleDevice {
  const colon = text.indexOf(':');
  const Path = text.slice(0, colon);
  if (colon === -1) throw new EngineError('invalid', `bad format: ${text}`);
  if (!Path.startsWith('/dev/')) throw new EngineError('invalid', `bad format for device path: ${text}`);
  const rate = text.slice(colon + 1);
  const Rate = inBytes ? parseBytes(rate) : Number(rate);
  if (!(Rate >= 0)) {
    const form = inBytes
      ? '<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb'
      : '<device-path>:<number>. Number must be a positive integer';
    throw new EngineError('invalid', `invalid rate for device: ${text}. The correct format is ${form}`);
  }
  return { Path, Rate };
}

function weight(text: string): WeightDevice {
  const colon = text.indexOf(':');
  const Path = text.slice(0, colon);
  const Weight = Number(text.slice(colon + 1));
  if (colon === -1) throw new EngineError('invalid', `bad format: ${text}`);
  if (!Path.startsWith('/dev/')) throw new EngineError('invalid', `bad format for device path: ${text}`);
  if (!(Weight === 0 || (Weight >= 10 && Weight <= 1000)))
    throw new EngineError('invalid', `invalid weight for device: ${text}`);
  return { Path, Weight };
}

/** `/dev/on/host[:/dev/inside[:rwm]]`; the second part alone may be the permissions. */
function device(text: string): DeviceMapping {
  const [PathOnHost = '', second, third, ...more] = text.split(':');
  if (more.length > 0 || PathOnHost === '') throw new EngineError('invalid', `bad format for path: ${text}`);
  if (third !== undefined && !isDeviceMode(third)) {
    throw new EngineError('invalid', `bad mode specified: ${third}`);
  }
  const onlyMode = third === undefined && second !== undefined && isDeviceMode(second);
  const PathInContainer = second === undefined || onlyMode ? PathOnHost : second;
  if (!PathInContainer.startsWith('/')) {
    throw new EngineError('invalid', `${PathInContainer} is not an absolute path`);
  }
  return { PathOnHost, PathInContainer, CgroupPermissions: onlyMode ? second : (third ?? 'rwm') };
}

/** Each of `r`, `w` and `m` at most once. */
function isDeviceMode(text: string): boolean {
  return /^[rwm]+$/.test(text) && new Set(text).size === text.length;
}

function cgroupRule(text: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text))
    throw new EngineError('invalid', `invalid device cgroup format '${text}'`);
  return text;
}
