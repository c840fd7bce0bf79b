import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { controlService } from '../api/buildkit/control.ts';
import {
  fileDigestService,
  fileSyncHeader,
  fileSyncService,
  packetMessage,
  packetType,
  smallFilesService,
} from '../api/buildkit/filesync.ts';
import { GrpcConnection } from '../api/grpc/client.ts';
import { type GrpcHandler, serveGrpc } from '../api/grpc/server.ts';
import { GrpcError, grpcCode } from '../api/grpc/status.ts';
import { messageOf } from '../stdx/errors.ts';

/** Commands that begin alike: see bundle.ts. */
export interface Kind {
  name: string;
  /** That a command line has if it is one of them. */
  words: readonly string[];
  /** What they load when they are called. */
  sources: readonly string[];
  /** The usual ones. */
  commands: readonly string[];
}

const ofCommands = (names: readonly string[]) => names.map(name => `src/cli/commands/${name}.ts`);

/** A command line is of the first one that it may be of. */
export const kinds: readonly Kind[] = [
  {
    name: 'compose-up',
    words: ['compose', 'up'],
    sources: ofCommands(['compose/up']),
    commands: ['compose up -d'],
  },
  {
    name: 'compose-config',
    words: ['compose', 'config'],
    sources: ofCommands(['compose/config']),
    commands: ['compose config'],
  },
  {
    name: 'compose',
    words: ['compose'],
    sources: ofCommands(['compose/down', 'compose/ps']),
    commands: ['compose down', 'compose ps'],
  },
  {
    name: 'build',
    words: ['build'],
    sources: [...ofCommands(['build']), 'src/cli/buildkit/build.ts'],
    commands: ['build -t usual context', 'build -q -t usual context'],
  },
  {
    name: 'run',
    words: ['run'],
    sources: ofCommands(['run']),
    commands: ['run --rm busybox true'],
  },
  {
    name: 'short',
    words: [],
    sources: ofCommands(['exec', 'rm', 'inspect', 'images', 'ps']),
    commands: ['exec usual true', 'rm -f usual', 'inspect usual', 'images', 'ps'],
  },
];

const emptyAnswers: Readonly<Record<string, string>> = {
  '/containers/json': '[]',
  '/images/json': '[]',
  '/networks': '[]',
  '/volumes': '{"Volumes": []}',
  '/images/busybox/json': '{"Id": "sha256:0"}',
  '/containers/create': '{"Id": "0", "Warnings": []}',
  '/containers/0/wait': '{"StatusCode": 0}',
  '/containers/usual/exec': '{"Id": "0"}',
  '/exec/0/json': '{"ExitCode": 0}',
};

const usualProject = `name: usual
services:
  web:
    image: busybox
    command: ["sleep", "1"]
    environment: {A: "\${HOME:-none}", B: 'b'}
    ports: ["8080:80"]
    labels:
      - a=b
    volumes:
      - data:/data
      - ./conf:/conf:ro
    networks: [front, back]
    depends_on: [db]
    healthcheck: {test: "true", interval: 10s}
    restart: unless-stopped
  db: # text
    image: "busybox"
    deploy: {resources: {limits: {memory: 10M}}}
volumes: {data: }
networks:
  front:
  back: {internal: true}
`;

/**
 * Runs usual commands of the client, one after the other, beside an engine that has nothing. How they end does not matter.
 * @param program and arguments that come before a command's words
 */
export async function runUsualCommands(
  [program, ...first]: readonly [string, ...string[]],
  commands: readonly string[],
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-bundle-'));
  const engine = emptyEngine();
  const socket = join(scratch, 'engine.sock');
  await new Promise<void>(resolve => engine.listen(socket, resolve));
  try {
    writeFileSync(join(scratch, 'compose.yaml'), usualProject);
    mkdirSync(join(scratch, 'context/src'), { recursive: true });
    writeFileSync(join(scratch, 'context/Dockerfile'), 'FROM busybox\nCOPY . /app\n');
    for (const name of ['a', 'b', 'c']) writeFileSync(join(scratch, 'context/src', name), name);
    const env = { PATH: process.env['PATH'], HOME: scratch, DOCKER_HOST: `unix://${socket}` };
    for (const command of commands) {
      const argv = [...first, ...command.split(' ')];
      await new Promise<void>(resolve => {
        execFile(program, argv, { cwd: scratch, env, timeout: 60_000 }, () => resolve()).stdin?.end();
      });
    }
  } finally {
    engine.close();
    engine.closeAllConnections();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function emptyEngine(): Server {
  const engine = createServer((incoming, answer) => {
    answer.setHeader('api-version', '1.50');
    answer.setHeader('server', 'Gantry/0');
    answer.setHeader('content-type', 'application/json');
    answer.end(emptyAnswers[pathOf(incoming.url)] ?? '{}');
  });
  let session: GrpcConnection | undefined;
  engine.on('upgrade', (incoming, socket: Duplex) => {
    const protocol = incoming.headers.upgrade ?? 'tcp';
    socket.on('error', () => {});
    socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
    const path = pathOf(incoming.url);
    if (path === '/session') session = GrpcConnection.over(socket);
    else if (path === '/grpc')
      void serveGrpc(
        socket,
        builderOf(() => session),
      );
    else socket.end();
  });
  return engine;
}

function pathOf(url = ''): string {
  return url.replace(/^\/v[\d.]+/, '').split('?')[0]!;
}

/** A builder that looks at what it is given, and then has built it. */
function builderOf(sessionOf: () => GrpcConnection | undefined): Parameters<typeof serveGrpc>[1] {
  const at = { seconds: 1, nanos: 0 };
  const handlers: Record<string, GrpcHandler> = {
    [controlService.solve.path]: async call => {
      const session = sessionOf();
      if (session !== undefined) {
        const { read } = smallFilesService;
        await session.unary(
          read.path,
          read.request.encode({ files: [{ directory: 'dockerfile', name: 'Dockerfile' }] }),
        );
        const metadata = new Map([[fileSyncHeader.directory, ['context']]]);
        await session.unary(fileDigestService.digest.path, Buffer.alloc(0), { metadata });
        await fetchDirectory(session, 'context');
      }
      const exporterResponse = new Map([['containerimage.digest', 'sha256:0']]);
      await call.send(controlService.solve.response.encode({ exporterResponse }));
    },
    [controlService.status.path]: async call => {
      const vertex = { digest: 'sha256:0', name: '[1/1] FROM busybox', started: at };
      const { response } = controlService.status;
      await call.send(response.encode({ vertexes: [vertex] }));
      await call.send(
        response.encode({ logs: [{ vertex: vertex.digest, timestamp: at, data: Buffer.from('a\n') }] }),
      );
      await call.send(response.encode({ vertexes: [{ ...vertex, completed: at }] }));
    },
  };
  return {
    find: path => handlers[path],
    toGrpcError: error => new GrpcError(grpcCode.unknown, messageOf(error), { cause: error }),
  };
}

/** Every file of a directory that the client offers. */
async function fetchDirectory(session: GrpcConnection, name: string): Promise<void> {
  const exchange = session.call(fileSyncService.diffCopy.path, {
    metadata: new Map([[fileSyncHeader.directory, [name]]]),
  });
  const packet = (type: number, id = 0) => exchange.send(packetMessage.encode({ type, id }));
  const wanted: number[] = [];
  let told = 0;
  for await (const message of exchange.messages) {
    const { type, stat, data } = packetMessage.decode(message);
    if (type === packetType.stat && stat !== undefined) {
      if (stat.size > 0) wanted.push(told);
      told += 1;
    } else if (type === packetType.stat) for (const id of wanted) await packet(packetType.request, id);
    else if (type === packetType.data && data.length === 0) wanted.pop();
    else if (type === packetType.fin) return exchange.end();
    if (type !== packetType.fin && wanted.length === 0 && stat === undefined) await packet(packetType.fin);
  }
}
