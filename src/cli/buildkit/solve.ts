import { controlService, type exporterMessage } from '../../api/buildkit/control.ts';
import { buildIdHeader, gatewayService } from '../../api/buildkit/gateway.ts';
import { statusMessage } from '../../api/buildkit/well-known.ts';
import type { GrpcConnection } from '../../api/grpc/client.ts';
import { GrpcError } from '../../api/grpc/status.ts';
import type { InitOf } from '../../api/protobuf.ts';
import { openControl, openSession } from '../../client/buildkit/connections.ts';
import type { Client } from '../../client/client.ts';
import { randomHex } from '../../stdx/random-hex.ts';
import { type Offers, serveOffers } from './services.ts';
import type { BuildStatus } from './status.ts';

export interface SolveOptions {
  /** Of the Dockerfile frontend: `build-arg:NAME`, `target`, ... */
  attributes: Record<string, string>;
  exporters: readonly InitOf<typeof exporterMessage>[];
  cacheImports: readonly InitOf<typeof exporterMessage>[];
  cacheExports: readonly InitOf<typeof exporterMessage>[];
  entitlements: readonly string[];
  sharedKey: string;
  offers: Offers;
}

/** Takes what is told of a build while it goes on. */
export interface Display {
  readonly status: BuildStatus;
  add(message: Parameters<BuildStatus['add']>[0]): void;
  end(): void;
}

/** Has the daemon build. @returns what its exporters tell. @throws GrpcError */
export async function solve(
  client: Client,
  options: SolveOptions,
  display: Display,
): Promise<ReadonlyMap<string, string>> {
  return inSession(client, options, async (control, ref, session) => {
    const [first] = options.exporters;
    const { path, request, response } = controlService.solve;
    const asked = request.encode({
      ref,
      session,
      frontend: 'dockerfile.v0',
      frontendAttributes: { ...options.attributes, ...cacheSources(options) },
      exporters: options.exporters,
      // Daemons before exporters were several read these.
      exporterDeprecated: first?.type ?? '',
      exporterAttributesDeprecated: first?.attributes ?? {},
      cache: { imports: options.cacheImports, exports: options.cacheExports },
      entitlements: options.entitlements,
    });
    // No other daemon asks for digests.
    const wantsDigests = await client.isGantryd();
    const stop = new AbortController();
    const watching = watch(control, ref, display, stop.signal);
    try {
      const solving = control.unary(path, asked);
      if (wantsDigests) options.offers.directories.begin(options.attributes['filename'] ?? '');
      const answer = response.decode(await solving);
      await watching;
      return answer.exporterResponse;
    } catch (error) {
      // The stream ends with the build; where there was no build, it may not.
      setTimeout(() => stop.abort(), 2000).unref();
      await watching;
      throw error;
    } finally {
      display.end();
    }
  });
}

/** Asks the Dockerfile frontend something instead of building. @returns its answer, `result.json` and others */
export async function ask(
  client: Client,
  question: string,
  options: SolveOptions,
): Promise<ReadonlyMap<string, Buffer>> {
  return inSession(client, options, async (control, ref, session) => {
    const { solve: solveMethod } = controlService;
    const solving = control.unary(
      solveMethod.path,
      solveMethod.request.encode({ ref, session, internal: true }),
    );
    const metadata = new Map([[buildIdHeader, [ref]]]);
    const asking = (async () => {
      const { path, request, response } = gatewayService.solve;
      const frontendOptions = { ...options.attributes, requestid: question };
      const asked = request.encode({ frontend: 'dockerfile.v0', frontendOptions });
      return response.decode(await control.unary(path, asked, { metadata }));
    })();
    // The build ends first only when it could not begin.
    solving.catch(() => {});
    const answer = await Promise.race([asking, solving.then(() => asking)]);
    const { path, request } = gatewayService.return;
    await control.unary(path, request.encode({ result: {} }), { metadata });
    await solving.catch(() => {});
    return answer.result?.metadata ?? new Map();
  });
}

async function inSession<T>(
  client: Client,
  { offers, sharedKey }: SolveOptions,
  work: (control: GrpcConnection, ref: string, session: string) => Promise<T>,
): Promise<T> {
  const id = randomHex(13);
  const [session, control] = await Promise.allSettled([
    openSession(client, { id, sharedKey, ...serveOffers(offers) }),
    openControl(client),
  ]);
  try {
    if (session.status === 'rejected') throw session.reason;
    if (control.status === 'rejected') throw control.reason;
    return await work(control.value, randomHex(13), id);
  } finally {
    offers.directories.end();
    for (const one of [control, session]) if (one.status === 'fulfilled') one.value.close();
  }
}

async function watch(
  control: GrpcConnection,
  ref: string,
  display: Display,
  signal: AbortSignal,
): Promise<void> {
  const { path, request, response } = controlService.status;
  const exchange = control.call(path, { signal });
  try {
    await exchange.send(request.encode({ ref }));
    exchange.end();
    for await (const message of exchange.messages) display.add(response.decode(message));
  } catch (error) {
    // What went wrong is the answer to the build itself.
    if (!(error instanceof GrpcError)) throw error;
  }
}

/** Where in a Dockerfile an error says it is. */
export interface ErrorSource {
  file: string;
  text: string;
  lines: { first: number; last: number };
}

/** From an error's details, where BuildKit puts it as JSON. */
export function sourcesOf(error: GrpcError): ErrorSource[] {
  if (error.details === undefined) return [];
  return statusMessage.decode(error.details).details.flatMap(({ typeUrl, value }) => {
    if (!typeUrl.includes('errdefs.Source')) return [];
    const { info, ranges } = JSON.parse(value.toString()) as {
      info?: { filename?: string; data?: string };
      ranges?: { start?: { line?: number }; end?: { line?: number } }[];
    };
    const starts = (ranges ?? []).map(range => range.start?.line ?? 0);
    if (starts.length === 0) return [];
    const ends = (ranges ?? []).map(range => Math.max(range.start?.line ?? 0, range.end?.line ?? 0));
    const lines = { first: Math.min(...starts), last: Math.max(...ends) };
    const text = Buffer.from(info?.data ?? '', 'base64').toString();
    return [{ file: info?.filename ?? 'Dockerfile', text, lines }];
  });
}

/** The frontend looks for them, and reads them here; `cache.imports` of the request is for clients that have none. */
function cacheSources({ cacheImports }: SolveOptions): Record<string, string> {
  if (cacheImports.length === 0) return {};
  const entries = cacheImports.map(({ type, attributes }) => ({ Type: type, Attrs: attributes }));
  return { 'cache-imports': JSON.stringify(entries) };
}
