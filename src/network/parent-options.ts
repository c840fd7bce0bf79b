import type { IpvlanFlag, IpvlanMode, MacvlanMode } from '../linux/netlink/stacked-links.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Network, ParentSettings } from './network.ts';
import { driverMtu, parseMtu } from './options.ts';

/**
 * What the driver options of a macvlan or ipvlan network mean.
 * @throws invalid in Docker's words, notImplemented for unknown options
 */
export function parentSettings(
  driver: 'macvlan' | 'ipvlan',
  options: Readonly<Record<string, string>>,
  networkId: string,
): ParentSettings {
  const known = driver === 'macvlan' ? macvlanOptions : ipvlanOptions;
  const unknown = Object.keys(options).find(key => !known.includes(key));
  if (unknown !== undefined)
    throw new EngineError('notImplemented', `network option "${unknown}" is not supported by ${driver}`);
  const stacking = driver === 'macvlan' ? macvlanStacking(options) : ipvlanStacking(options);
  if (options['parent'] === 'lo') {
    throw new EngineError('invalid', `loopback interface is not a valid ${driver} parent link`);
  }
  return {
    linkName: options['parent'] || deadEndName(driver, networkId),
    stacking,
    mtu: parseMtu(options[driverMtu]),
  };
}

/** The parent of a network that has none of the host's; as Docker calls it. */
export function deadEndName(driver: 'macvlan' | 'ipvlan', networkId: string): string {
  return `${driver === 'macvlan' ? 'dm' : 'di'}-${networkId.slice(0, 12)}`;
}

/** Whether the parent leads nowhere, because the network was made without one. */
export function isDeadEnd({ id, parent }: Network): boolean {
  return parent !== undefined && parent.linkName === deadEndName(parent.stacking.kind, id);
}

/**
 * `eth0.10`: VLAN 10 of eth0.
 * @throws invalid, in Docker's words, where a name that is no link's is no VLAN's either
 */
export function parseVlanName(name: string): { parentName: string; id: number } {
  if (!name.includes('.')) {
    throw new EngineError('invalid', `invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  }
  const [parentName = '', number = '', ...more] = name.split('.');
  if (more.length > 0) {
    throw new EngineError(
      'invalid',
      `required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${name}`,
    );
  }
  if (!/^[+-]?\d+$/.test(number)) {
    throw new EngineError(
      'invalid',
      `unable to parse a valid vlan id from: ${number} (ex. eth0.10 for vlan 10)`,
    );
  }
  return { parentName, id: Number(number) };
}

/** The kernel has one such parent per link, Docker one network per parent: who is there already decides. */
export function refuseTakenParent(settings: ParentSettings, others: readonly Network[]): void {
  const { linkName, stacking } = settings;
  const sharing = others.flatMap(({ id, parent }) =>
    parent?.linkName === linkName && parent.stacking.kind === stacking.kind
      ? [{ id, stacking: parent.stacking }]
      : [],
  );
  const [first] = sharing;
  if (first === undefined) return;
  if (stacking.kind === 'ipvlan') {
    throw new EngineError(
      'forbidden',
      `network ${deadEndName('ipvlan', first.id)} is already using parent interface ${linkName}`,
    );
  }
  if (stacking.mode === 'passthru') {
    throw new EngineError(
      'forbidden',
      `cannot use mode passthru, macvlan network ${first.id} is already using parent interface ${linkName}`,
    );
  }
  if (first.stacking.mode === 'passthru') {
    throw new EngineError(
      'forbidden',
      `macvlan network ${first.id} is already using parent interface ${linkName} in mode passthru`,
    );
  }
}

const macvlanOptions: readonly string[] = ['parent', 'macvlan_mode', driverMtu];
const ipvlanOptions: readonly string[] = ['parent', 'ipvlan_mode', 'ipvlan_flag', driverMtu];
const macvlanModes: readonly string[] = ['bridge', 'private', 'vepa', 'passthru'] satisfies MacvlanMode[];
const ipvlanModes: readonly string[] = ['l2', 'l3', 'l3s'] satisfies IpvlanMode[];
const ipvlanFlags: readonly string[] = ['bridge', 'private', 'vepa'] satisfies IpvlanFlag[];

function macvlanStacking(options: Readonly<Record<string, string>>): ParentSettings['stacking'] {
  const mode = options['macvlan_mode'] || 'bridge';
  if (macvlanModes.includes(mode)) return { kind: 'macvlan', mode: mode as MacvlanMode };
  throw new EngineError(
    'invalid',
    `requested macvlan mode '${mode}' is not valid, 'bridge' mode is the macvlan driver default`,
  );
}

function ipvlanStacking(options: Readonly<Record<string, string>>): ParentSettings['stacking'] {
  const mode = options['ipvlan_mode'] || 'l2';
  if (!ipvlanModes.includes(mode)) {
    throw new EngineError(
      'invalid',
      `requested ipvlan mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default`,
    );
  }
  const flag = options['ipvlan_flag'] || 'bridge';
  if (!ipvlanFlags.includes(flag)) {
    throw new EngineError(
      'invalid',
      `requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`,
    );
  }
  return { kind: 'ipvlan', mode: mode as IpvlanMode, flag: flag as IpvlanFlag };
}
