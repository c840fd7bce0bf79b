import { createServer, request, type Server } from 'node:http';

/** Answers of a daemon, by method and path without version, and by the filters asked with. */
export type CannedAnswers = Record<string, { status: number; headers: Record<string, string>; body: string }>;

function keyOf(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://daemon');
  const path = pathname.replace(/^\/v\d+\.\d+/, '');
  const filters = JSON.stringify(JSON.parse(searchParams.get('filters') || '{}'));
  // With sizes an answer has everything the one without has.
  return `${method} ${path}${filters === '{}' ? '' : ` ${filters}`}`;
}

/** A server on a unix socket that says what a daemon once said. */
export async function serveCanned(answers: CannedAnswers, socket: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    const canned = answers[keyOf(incoming.method!, incoming.url!)];
    if (canned === undefined) {
      response.writeHead(501, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ message: `nothing is recorded for ${incoming.method} ${incoming.url}` }));
      return;
    }
    response.writeHead(canned.status, canned.headers);
    response.end(incoming.method === 'HEAD' ? undefined : canned.body);
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return server;
}

/** A server that passes everything on to a daemon and keeps the answers. */
export async function serveRecording(
  daemonSocket: string,
  socket: string,
): Promise<{ server: Server; answers: CannedAnswers }> {
  const answers: CannedAnswers = {};
  const server = createServer((incoming, response) => {
    const onward = request(
      { socketPath: daemonSocket, method: incoming.method, path: incoming.url, headers: incoming.headers },
      async answer => {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        const kept = ['content-type', 'api-version', 'ostype', 'server', 'builder-version', 'swarm'];
        const headers = Object.fromEntries(
          Object.entries(answer.headers).filter(([name]) => kept.includes(name)),
        ) as Record<string, string>;
        const body = Buffer.concat(chunks).toString();
        const key = keyOf(incoming.method!, incoming.url!);
        if ((answers[key]?.body.length ?? -1) < body.length)
          answers[key] = { status: answer.statusCode!, headers, body };
        response.writeHead(answer.statusCode!, headers);
        response.end(incoming.method === 'HEAD' ? undefined : body);
      },
    );
    incoming.pipe(onward);
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return { server, answers };
}
