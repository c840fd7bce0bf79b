import { createServer } from 'node:http';
import { hostname } from 'node:os';

/** The page: counts its visits with the help of another container, which it knows by name only. */
const counterUrl = process.env['COUNTER_URL'] ?? 'http://counter:8080/next';

const server = createServer(async (request, response) => {
  try {
    if (request.url === '/health') {
      response.end('ok\n');
      return;
    }
    const answer = await fetch(counterUrl, { method: 'POST' });
    const { visits } = (await answer.json()) as { visits: number };
    response.setHeader('content-type', 'text/plain');
    response.end(`Hello from ${hostname()}: visit number ${visits}\n`);
    console.log(`${request.method} ${request.url} -> visit ${visits}`);
  } catch (error) {
    response.statusCode = 502;
    response.end(`the counter does not answer: ${error}\n`);
    console.error(`${request.method} ${request.url} -> the counter does not answer: ${error}`);
  }
});

server.listen(8080, () => console.log('web: listening on port 8080'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
