import { readFileSync } from 'node:fs';
import { askNameServer } from '../../network/dns/ask.ts';
import type { Upstreams } from '../../network/network.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { containerFiles } from '../containers/directory.ts';
import { namespacePathOf } from '../containers/network.ts';
import type { EngineContext } from '../context.ts';
import type { NameEvidence } from './evidence.ts';

/** How programs say that they could not find a name: curl, busybox, Node, Go, glibc, musl, nginx, psql, mysql ... */
const complaints = [
  /could not resolve host:? [`'"]?([\w.-]+)/i,
  /bad address [`'"]?([\w.-]+)/,
  /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)/,
  /lookup ([\w.-]+)(?: on \S+)?: (?:no such host|server misbehaving|i\/o timeout)/,
  /unable to resolve host(?: address)? [`'"‘]?([\w.-]+)/,
  /([\w.-]+): (?:Temporary failure in name resolution|Name or service not known|Name does not resolve)/,
  /can't resolve [`'"]?([\w.-]+)/,
  /host not found in upstream "([\w.-]+)/,
  /could not translate host name "([\w.-]+)"/,
  /unknown (?:mysql server )?host [`'"]?([\w.-]+)/i,
];

/** The names that lines complain of. */
export function namesComplainedOf(lines: readonly string[]): string[] {
  const found = lines.flatMap(line => complaints.flatMap(pattern => pattern.exec(line)?.[1] ?? []));
  return [...new Set(found.map(name => name.replace(/[.:]+$/, '')))].slice(-mostNames);
}

const mostNames = 3;

/** What the container is told when it asks for names: asked from inside of its own network namespace. */
export async function collectNames(
  context: EngineContext,
  record: ContainerRecord,
  lastLines: readonly string[],
  wanted: string | undefined,
): Promise<NameEvidence> {
  const { network } = context;
  const embedded = network.needsResolver(record.id) || isOnNamedNetwork(context, record);
  const servers = nameServersOf(context, record);
  const namespacePath = record.state.pid === 0 ? undefined : namespacePathOf(record.state.pid);
  const names = [...new Set([...(wanted === undefined ? [] : [wanted]), ...namesComplainedOf(lastLines)])];
  const lookups = await Promise.all(
    names.map(async name => ({
      name,
      wanted: name === wanted,
      ...(await lookUp(servers, name, namespacePath)),
    })),
  );
  const isLost = lookups.some(({ addresses }) => addresses.length === 0);
  return {
    servers,
    embedded,
    embeddedAnswers:
      namespacePath === undefined || !servers.includes(embeddedServer)
        ? undefined
        : (await askNameServer(embeddedServer, record.name, namespacePath)).answered,
    leadsOut: Object.keys(record.endpoints).some(name => network.find(name)?.internal === false),
    upstreams: isLost ? await askUpstreams(network.upstreamsFor(record.hostConfig), namespacePath) : [],
    lookups,
    containers: Object.fromEntries(
      context.containers.list().map(other => [other.name, namedNetworks(context, other)]),
    ),
    networks: namedNetworks(context, record),
  };
}

const embeddedServer = '127.0.0.11';

async function lookUp(
  servers: readonly string[],
  name: string,
  namespacePath: string | undefined,
): Promise<{ addresses: string[]; outcome: string }> {
  if (namespacePath === undefined)
    return { addresses: [], outcome: 'it does not run, so nobody can be asked for it' };
  const answers = await Promise.all(servers.map(server => askNameServer(server, name, namespacePath)));
  const best =
    answers.find(({ addresses }) => addresses.length > 0) ??
    answers.find(({ answered }) => answered) ??
    answers[0];
  return { addresses: best?.addresses ?? [], outcome: best?.outcome ?? 'there is no name server' };
}

function askUpstreams(
  { servers, inside }: Upstreams,
  namespacePath: string | undefined,
): Promise<NameEvidence['upstreams']> {
  return Promise.all(
    servers.map(async server => ({
      server,
      answers: (await askNameServer(server, 'localhost', inside ? namespacePath : undefined)).answered,
    })),
  );
}

/** As its resolv.conf says. */
function nameServersOf(context: EngineContext, record: ContainerRecord): string[] {
  try {
    const text = readFileSync(containerFiles(context, record.id).resolvConf, 'utf8');
    return [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server = '']) => server);
  } catch {
    // Written at its first start.
    return [];
  }
}

function isOnNamedNetwork(context: EngineContext, record: ContainerRecord): boolean {
  return namedNetworks(context, record).length > 0;
}

/** Networks where containers have names: those that users made. */
function namedNetworks(context: EngineContext, record: ContainerRecord): string[] {
  return Object.keys(record.endpoints).filter(name => context.network.find(name)?.predefined === false);
}
