import dgram from 'node:dgram';
import { decode, encode, RECURSION_DESIRED } from 'dns-packet';
import { openInetSocket } from '../../linux/inet-socket.ts';
import { withNetworkNamespace } from '../../linux/namespaces.ts';
import { messageOf } from '../../stdx/errors.ts';
import { parseIp } from '../../stdx/ip.ts';

/** What a name server says to one question. */
export interface NameAnswer {
  /** Whether it said anything at all. */
  answered: boolean;
  addresses: string[];
  /** `NOERROR`, `NXDOMAIN` ..., or why there was no answer. */
  outcome: string;
}

/**
 * Asks a name server for the addresses of a name as a process in a network namespace would.
 * @param namespacePath `/proc/<pid>/ns/net`; undefined: our own
 */
export async function askNameServer(
  server: string,
  name: string,
  namespacePath: string | undefined,
): Promise<NameAnswer> {
  const ipv4 = await ask(server, name, 'A', namespacePath);
  if (!ipv4.answered || ipv4.addresses.length > 0) return ipv4;
  const ipv6 = await ask(server, name, 'AAAA', namespacePath);
  return ipv6.addresses.length > 0 ? ipv6 : ipv4;
}

function ask(
  server: string,
  name: string,
  type: 'A' | 'AAAA',
  namespacePath: string | undefined,
): Promise<NameAnswer> {
  const family = server.includes(':') ? 6 : 4;
  const question = encode({
    type: 'query',
    id: 1 + Math.floor(Math.random() * 0xfffe),
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
  });
  const { promise, resolve } = Promise.withResolvers<NameAnswer>();
  const silent = (outcome: string) => resolve({ answered: false, addresses: [], outcome });
  let socket: dgram.Socket | undefined;
  const timer = setTimeout(() => silent(`${server} does not answer`), timeoutMs);
  try {
    // Bound at once, inside: Node's own bind would happen later, and outside.
    const open = () =>
      openInetSocket({ protocol: 'udp', address: parseIp(family === 4 ? '0.0.0.0' : '::')!, port: 0 });
    const fd = namespacePath === undefined ? open() : withNetworkNamespace(namespacePath, open);
    socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
    socket.on('error', error => silent(error.message));
    socket.on('message', message => {
      if (message.subarray(0, 2).equals(question.subarray(0, 2))) resolve(read(message, type));
    });
    socket.bind({ fd });
    socket.send(question, dnsPort, server, error => {
      if (error !== null) silent(error.message);
    });
  } catch (error) {
    silent(messageOf(error));
  }
  return promise.finally(() => {
    clearTimeout(timer);
    socket?.close();
  });
}

const dnsPort = 53;
/** Longer than the embedded name server waits for one of its own servers. */
const timeoutMs = 3000;

function read(message: Buffer, type: string): NameAnswer {
  const { rcode, answers = [] } = decode(message);
  const addresses = answers.flatMap(answer =>
    answer.type === type && answer.data !== undefined ? [answer.data] : [],
  );
  const outcome = rcode === 'NOERROR' && addresses.length === 0 ? 'no address' : rcode;
  return { answered: true, addresses, outcome };
}
