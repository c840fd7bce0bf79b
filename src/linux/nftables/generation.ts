import { parseAttributes } from '../netlink/attributes.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/socket.ts';

/**
 * The number of nftables transactions this namespace has seen (NFT_MSG_GETGEN). When it is the one after our own
 * last change, nobody else touched any table: the cheapest way to know that our rules are still there.
 *
 * struct nfgenmsg (linux/netfilter/nfnetlink.h), the family's own header:
 *
 *     0        1         2             4
 *     +--------+---------+-------------+
 *     | family | version | resource id |
 *     +--------+---------+-------------+
 */
export class NftGeneration {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);

  current(): number {
    const [answer] = this.#socket.request('reading the nftables generation', NFT_MSG_GETGEN, 0, [
      Buffer.alloc(4),
    ]);
    return answer === undefined
      ? 0
      : (parseAttributes(answer.payload.subarray(4)).get(NFTA_GEN_ID)?.readUInt32BE() ?? 0);
  }

  close(): void {
    this.#socket.close();
  }
}

/** (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN */
const NFT_MSG_GETGEN = (10 << 8) | 16;
const NFTA_GEN_ID = 1;
