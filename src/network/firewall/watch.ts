import { watchNftables } from '../../linux/nftables/changes.ts';

/**
 * Has the firewall looked at soon after anybody changed any table, and now and then besides: the old interface
 * (iptables-legacy) tells nobody of its changes.
 * @returns stops it.
 */
export function watchFirewall(verify: () => void): () => void {
  let pending: NodeJS.Timeout | undefined;
  const stopWatching = watchNftables(() => {
    pending ??= setTimeout(() => {
      pending = undefined;
      verify();
    }, settleMs).unref();
  });
  const regular = setInterval(verify, regularMs).unref();
  return () => {
    stopWatching();
    clearTimeout(pending);
    clearInterval(regular);
  };
}

/** ufw and firewalld make many changes in a row when they reload. */
const settleMs = 50;
const regularMs = 5000;
