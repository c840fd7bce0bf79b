import { claimName } from '../linux/claim.ts';
import { EngineError, errnoOf, messageOf } from '../stdx/errors.ts';
import { defaultBridgeName, defaultFirewallTable, type NetworkConfig } from './config.ts';

/**
 * Takes the names that two daemons in one network namespace must not share: each would put its own firewall table in
 * place of the other's as soon as it hears of the change, and give the other's bridge its own addresses.
 * @returns gives them back.
 * @throws EngineError `conflict`: another daemon has one of them
 */
export function claimNames(config: NetworkConfig): () => void {
  const { firewallTable: table = defaultFirewallTable, bridgeName: bridge = defaultBridgeName } = config;
  const taken: (() => void)[] = [];
  const giveBack = () => {
    for (const release of taken.splice(0)) release();
  };
  try {
    taken.push(claim(`firewall table "${table}"`, 'firewall-table'));
    if (bridge !== 'none') taken.push(claim(`default bridge "${bridge}"`, 'bridge'));
  } catch (error) {
    giveBack();
    throw error;
  }
  return giveBack;
}

function claim(what: string, flag: string): () => void {
  try {
    return claimName(`gantryd ${what}`);
  } catch (error) {
    if (errnoOf(error) !== undefined) throw error;
    const hint = `give this one a name of its own (--${flag})`;
    throw new EngineError('conflict', `another gantryd has the ${what}: ${messageOf(error)}; ${hint}`);
  }
}
