import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { page } from './page.ts';

const { greeting } = JSON.parse(readFileSync('settings.json', 'utf8')) as { greeting: string };

const server = createServer((_, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(page(greeting, new Date()));
});

server.listen(8080, () => console.log('clock: listening on port 8080'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
