import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { Pool } from 'pg';
import { createClient } from 'redis';

/** Entries are rows of the database; how often they were looked at is counted in the cache, which keeps it in a file. */
interface Entry {
  name: string;
  message: string;
}

const database = new Pool({
  host: process.env['DATABASE_HOST'],
  user: 'guestbook',
  database: 'guestbook',
  password: secret('DATABASE_PASSWORD_FILE'),
  max: 4,
});
const cache = createClient({ url: process.env['CACHE_URL'], password: secret('CACHE_PASSWORD_FILE') });
// Both connect again by themselves.
database.on('error', error => console.error(`database: ${error.message}`));
cache.on('error', error => console.error(`cache: ${error.message}`));
cache.connect().catch(error => console.error(`cache: ${error.message}`));

const server = createServer((request, response) => {
  answer(request).then(
    ({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
    error => {
      console.error(`${request.method} ${request.url}: ${error}`);
      response.writeHead(500).end();
    },
  );
});

async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
  switch (`${request.method} ${request.url}`) {
    case 'GET /health':
      await Promise.all([database.query('SELECT 1'), cache.ping()]);
      return { status: 200, body: 'ok' };
    case 'GET /entries': {
      const { rows } = await database.query<Entry>('SELECT name, message FROM entries ORDER BY id');
      return { status: 200, body: { entries: rows, views: await cache.incr('views') } };
    }
    case 'POST /entries': {
      const { name, message } = (await bodyOf(request)) as Partial<Entry>;
      if (!name || !message) return { status: 400, body: 'name and message are needed' };
      await database.query('INSERT INTO entries (name, message) VALUES ($1, $2)', [name, message]);
      return { status: 201, body: { name, message } };
    }
    default:
      return { status: 404, body: 'there is GET /entries and POST /entries' };
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

function secret(variable: string): string {
  return readFileSync(process.env[variable] ?? '', 'utf8').trim();
}

server.listen(8080, () => console.log('api: listening on port 8080'));
process.on('SIGTERM', () => {
  server.close(() => void Promise.all([database.end(), cache.quit()]).then(() => process.exit(0)));
  server.closeIdleConnections();
});
