import { EngineError, messageOf } from '../../stdx/errors.ts';
import { Template } from '../../stdx/template/template.ts';
import { toJson } from '../../stdx/template/values.ts';
import { told } from '../cli.ts';
import { ExitError } from '../errors.ts';
import type { Session } from '../session.ts';

/** The `--format` flag of commands that inspect. */
export const inspectFormatFlag = `
  -f, --format string   Format output using a custom template:
                        |'json':             Print in JSON format
                        |'TEMPLATE':         Print output using the given Go template.
                        |Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates
`;

/**
 * Fetches every named thing and prints all that were found: as a JSON list, or each by a template. What was not found is
 * told at the end.
 * @throws ExitError 1 when something was not found
 */
export async function inspectAll(
  session: Session,
  names: readonly string[],
  format: string,
  fetch: (name: string) => Promise<unknown>,
): Promise<void> {
  const template = format === '' || format === 'json' ? undefined : readTemplate(format);
  const found: unknown[] = [];
  const faults: string[] = [];
  for (const name of names) {
    try {
      found.push(await fetch(name));
    } catch (error) {
      faults.push(told(error));
    }
  }
  if (template === undefined) printJson(session, found, format);
  else for (const item of found) printByTemplate(session, template, item);
  if (template !== undefined && found.length === 0) session.out.write('\n');
  if (faults.length > 0) throw new ExitError(1, faults.join('\n'));
}

function readTemplate(format: string): Template {
  try {
    // A template that asks for more than one object has is wrong, not empty: docker says so too.
    return new Template(format, { missingKey: 'error' });
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`);
  }
}

function printJson(session: Session, found: readonly unknown[], format: string): void {
  if (format === 'json') session.out.write(`${toJson(found)}\n`);
  else session.out.write(found.length === 0 ? '[]\n' : `${toJson(found, '    ')}\n`);
}

function printByTemplate(session: Session, template: Template, item: unknown): void {
  const structs = new WeakSet<object>();
  try {
    session.out.write(`${template.withStructs(structs).run(asGoHasIt(item, '', structs))}\n`);
  } catch (error) {
    session.out.write('\n');
    throw new EngineError('invalid', `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

/** Fields that are maps in Docker's types; every other object is a struct. Go prints the two differently. */
const maps = new Set(
  'AuxiliaryAddresses Annotations Attributes BuildArgs Config.Options Containers Data Details DriverOpts ExposedPorts Labels Metadata Networks Options PortBindings Ports Runtimes Spec Status Storage StorageOpt Sysctls Tmpfs Volumes'.split(
    ' ',
  ),
);
/** Fields whose null is an empty slice or map in Go, and prints so. */
const slices = new Set(
  'Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeightDevice CapAdd CapDrop Cmd DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts GroupAdd Links Aliases DNSNames MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecondaryIPAddresses SecondaryIPv6Addresses SecurityOpt Shell Ulimits VolumesFrom'.split(
    ' ',
  ),
);

/**
 * What Docker's types have where the JSON has nothing, by the field an object is the value of (`[]`: an element). A
 * template that asks for it gets the zero value, not an error.
 */
const zeroes: Record<string, Record<string, unknown>> = {
  State: { Health: null },
  'Mounts[]': { Type: '', Name: '', Source: '', Driver: '' },
  Config: { Healthcheck: null, Shell: null, StopSignal: '', StopTimeout: null },
};

/** A copy of JSON for templates to print: which objects are structs is noted, typed nulls print as Go's. */
function asGoHasIt(value: unknown, key: string, structs: WeakSet<object>): unknown {
  if (value === null)
    return slices.has(key) ? nullThatPrintsAs([]) : maps.has(key) ? nullThatPrintsAs({}) : null;
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(item => asGoHasIt(item, `${key}[]`, structs));
  // A log configuration's Config is a map, a container's is not.
  const isMap =
    maps.has(key) || (key === 'Config' && Object.values(value).every(item => typeof item === 'string'));
  const entries = Object.entries(value);
  // Go prints maps in the order of their keys.
  if (isMap) entries.sort(([left], [right]) => (left < right ? -1 : 1));
  const copy: Record<string, unknown> = {};
  for (const [name, item] of entries) copy[name] = asGoHasIt(item, isMap ? `${key}{}` : name, structs);
  if (isMap) return copy;
  for (const [name, zero] of Object.entries(zeroes[key] ?? {})) {
    // Printed as JSON it stays away, as Go's `omitempty` has it.
    if (!(name in copy)) Object.defineProperty(copy, name, { value: asGoHasIt(zero, name, structs) });
  }
  addGoNames(copy);
  if (key === 'Networks{}')
    Object.assign(copy, { GwPriority: copy['GwPriority'] ?? 0, DNSNames: copy['DNSNames'] ?? null });
  structs.add(copy);
  return copy;
}

/** Go's names of fields that JSON spells otherwise; templates may use either. */
export function addGoNames<T extends object>(fields: T): T {
  for (const [name, spelt] of [
    ['ID', 'Id'],
    ['APIVersion', 'ApiVersion'],
  ] as const) {
    if (spelt in fields && !(name in fields))
      Object.defineProperty(fields, name, { value: (fields as Record<string, unknown>)[spelt] });
  }
  return fields;
}

function nullThatPrintsAs<T extends object>(empty: T): T {
  return Object.defineProperty(empty, 'toJSON', { value: () => null });
}
