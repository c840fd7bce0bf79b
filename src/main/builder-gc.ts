import type { GcSettings } from '../build/cache-usage.ts';
import { type GcRule, parseGcFilters } from '../build/prune-plan.ts';
import { parseByteSize } from '../stdx/byte-size.ts';

/**
 * The object `builder` of daemon.json, in dockerd's names:
 *
 *     {"gc": {"enabled": true, "defaultKeepStorage": "10GB",
 *             "policy": [{"keepStorage": "1GB", "filter": ["unused-for=48h"], "all": false}]}}
 *
 * @throws Error for what is wrong, or means nothing here
 */
export function readBuilderGc(builder: unknown): GcSettings {
  // readBuilderEntitlements reads the others.
  const { gc = {}, entitlements: _, ...others } = objectOf(builder, 'builder');
  refuseOthers(others, 'builder');
  const {
    enabled = true,
    defaultKeepStorage,
    defaultReservedSpace,
    defaultMaxUsedSpace,
    defaultMinFreeSpace,
    policy,
    ...unknown
  } = objectOf(gc, 'builder.gc');
  refuseOthers(unknown, 'builder.gc');
  if (typeof enabled !== 'boolean') throw new Error('builder.gc.enabled: want a boolean');
  return {
    enabled,
    reservedBytes: sizeOf(defaultReservedSpace ?? defaultKeepStorage, 'builder.gc.defaultReservedSpace'),
    maxUsedBytes: sizeOf(defaultMaxUsedSpace, 'builder.gc.defaultMaxUsedSpace'),
    minFreeBytes: sizeOf(defaultMinFreeSpace, 'builder.gc.defaultMinFreeSpace'),
    ...(policy === undefined ? {} : { rules: listOf(policy, 'builder.gc.policy').map(readRule) }),
  };
}

/**
 * What builds may be granted, of the same object, in dockerd's names and with its defaults:
 *
 *     {"entitlements": {"network-host": true, "security-insecure": false}}
 */
export function readBuilderEntitlements(builder: unknown): string[] {
  const where = 'builder.entitlements';
  const { entitlements = {} } = objectOf(builder, 'builder');
  const {
    'network-host': networkHost = true,
    'security-insecure': securityInsecure = false,
    ...unknown
  } = objectOf(entitlements, where);
  refuseOthers(unknown, where);
  if (typeof networkHost !== 'boolean') throw new Error(`${where}.network-host: want a boolean`);
  if (typeof securityInsecure !== 'boolean') throw new Error(`${where}.security-insecure: want a boolean`);
  return [...(networkHost ? ['network.host'] : []), ...(securityInsecure ? ['security.insecure'] : [])];
}

function readRule(value: unknown, index: number): GcRule {
  const where = `builder.gc.policy[${index}]`;
  const {
    all = false,
    filter = [],
    keepStorage,
    reservedSpace,
    maxUsedSpace,
    minFreeSpace,
    ...unknown
  } = objectOf(value, where);
  refuseOthers(unknown, where);
  if (typeof all !== 'boolean') throw new Error(`${where}.all: want a boolean`);
  return {
    all,
    filters: parseGcFilters(listOf(filter, `${where}.filter`).map(String)),
    reservedBytes: sizeOf(reservedSpace ?? keepStorage, `${where}.reservedSpace`),
    maxUsedBytes: sizeOf(maxUsedSpace, `${where}.maxUsedSpace`),
    minFreeBytes: sizeOf(minFreeSpace, `${where}.minFreeSpace`),
  };
}

/** Bytes as a number, or with a unit. */
function sizeOf(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`${where}: want a size`);
  return parseByteSize(String(value));
}

function objectOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`${where}: want an object`);
}

function listOf(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${where}: want a list`);
}

function refuseOthers(others: object, where: string): void {
  const [name] = Object.keys(others);
  if (name !== undefined) throw new Error(`${where}.${name} is not supported`);
}
