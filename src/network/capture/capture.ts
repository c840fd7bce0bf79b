import { Readable } from 'node:stream';
import { withNetworkNamespace } from '../../linux/namespaces.ts';
import { findLink } from '../../linux/netlink/links.ts';
import { NetlinkSocket } from '../../linux/netlink/socket.ts';
import { PacketSocket, type SeenPacket } from '../../linux/packet-socket.ts';
import { type Poller, pollDescriptor } from '../../linux/poll.ts';
import { EngineError, errnoOf, within } from '../../stdx/errors.ts';
import { type PacketFilter, passesFilter } from './filter.ts';
import { pcapHeader, pcapRecord } from './pcap.ts';

export interface CaptureOptions extends PacketFilter {
  /** As it is called in the network namespace: `eth0`. */
  interfaceName: string;
  /** Of each packet; undefined: all of it. */
  keptBytes?: number;
  /** Also what is for others: on a bridge, what goes from port to port. */
  promiscuous?: boolean;
  /** After so many packets it ends. */
  count?: number;
}

/**
 * What goes by on a link in a network namespace, as a pcap file that grows. It ends with the link, after `count` packets,
 * or when it is destroyed; while nobody reads, packets wait in the kernel, and are lost when there are too many.
 * @throws notFound when there is no such link
 */
export function capture(namespacePath: string, options: CaptureOptions): Capture {
  const keptBytes = options.keptBytes ?? wholeBytes;
  const socket = withNetworkNamespace(namespacePath, () => {
    using netlink = new NetlinkSocket();
    const link = findLink(netlink, options.interfaceName);
    if (link === undefined)
      throw new EngineError('notFound', `there is no interface ${options.interfaceName}`);
    return new PacketSocket(link.index, Math.max(keptBytes, headersBytes), options);
  });
  return new Capture(socket, keptBytes, options);
}

/** Also what a link makes one packet of before it is cut up (GSO). */
const wholeBytes = 256 << 10;

/** What the filter looks at lies within. */
const headersBytes = 128;

export class Capture extends Readable {
  readonly #socket: PacketSocket;
  readonly #poller: Poller;
  readonly #filter: PacketFilter;
  readonly #keptBytes: number;
  #left: number;
  #finished = false;

  constructor(socket: PacketSocket, keptBytes: number, { count, ...filter }: CaptureOptions) {
    super();
    this.#socket = socket;
    this.#filter = filter;
    this.#keptBytes = keptBytes;
    this.#left = count ?? Number.POSITIVE_INFINITY;
    this.#poller = pollDescriptor(socket.fd, () => this.#receive());
    this.push(pcapHeader(keptBytes));
  }

  /** Nothing comes any more; what was seen is still read. */
  finish(): void {
    this.#finished = true;
    this.#poller.watch({});
    this.push(null);
  }

  override _read(): void {
    if (!this.#finished) this.#poller.watch({ readable: true });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#poller.close();
    this.#socket.close();
    done(error);
  }

  #receive(): void {
    let packets: SeenPacket[];
    try {
      packets = this.#socket.receive();
    } catch (error) {
      // The link went with its container, or was taken down.
      if (errnoOf(error) === 'ENETDOWN') this.finish();
      else this.destroy(within('capturing packets', error));
      return;
    }
    const wanted = packets.filter(({ bytes }) => passesFilter(bytes, this.#filter)).slice(0, this.#left);
    this.#left -= wanted.length;
    const goesOn =
      wanted.length === 0 ||
      this.push(Buffer.concat(wanted.map(packet => pcapRecord(packet, this.#keptBytes))));
    if (this.#left <= 0) this.finish();
    else if (!goesOn) this.#poller.watch({});
  }
}
