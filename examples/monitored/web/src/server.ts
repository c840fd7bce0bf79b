import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'pg';
import { createClient } from 'redis';

/** Short links: `PUT /NAME` with an address keeps one, `GET /NAME` leads there. The cache spares the database. */
const cacheSeconds = 60;

const database = new Pool({
  host: process.env['DATABASE_HOST'],
  user: 'links',
  database: 'links',
  password: secret('DATABASE_PASSWORD_FILE'),
  max: 4,
});
const cache = createClient({ url: process.env['CACHE_URL'], password: secret('CACHE_PASSWORD_FILE') });
// Both connect again by themselves.
database.on('error', error => console.error(`database: ${error.message}`));
cache.on('error', error => console.error(`cache: ${error.message}`));
cache.connect().catch(error => console.error(`cache: ${error.message}`));

/** Answers since the start, by where they came from. */
const answers = { cache: 0, database: 0, nowhere: 0 };

const server = createServer((request, response) => {
  answer(request, response).catch(error => {
    console.error(`${request.method} ${request.url}: ${error}`);
    response.writeHead(500).end();
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = (request.url ?? '/').slice(1);
  if (name === 'metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(await metrics());
  } else if (request.method === 'PUT') {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = Buffer.concat(chunks).toString().trim();
    await database.query(
      'INSERT INTO links (name, url) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET url = $2',
      [name, url],
    );
    await cache.del(name);
    response.writeHead(201).end();
  } else {
    const location = await follow(name);
    if (location === undefined) response.writeHead(404).end('no such link\n');
    else response.writeHead(302, { location }).end();
  }
}

async function follow(name: string): Promise<string | undefined> {
  const cached = await cache.get(name);
  if (cached !== null) {
    answers.cache++;
    return cached;
  }
  const found = await database.query<{ url: string }>(
    'UPDATE links SET followed = followed + 1 WHERE name = $1 RETURNING url',
    [name],
  );
  const url = found.rows[0]?.url;
  answers[url === undefined ? 'nowhere' : 'database']++;
  if (url !== undefined) await cache.setEx(name, cacheSeconds, url);
  return url;
}

async function metrics(): Promise<string> {
  const { rows } = await database.query<{ count: string }>('SELECT count(*) FROM links');
  const counted = Object.entries(answers).map(
    ([from, count]) => `links_answers_total{from="${from}"} ${count}`,
  );
  return `# HELP links_known Links that the database has.
# TYPE links_known gauge
links_known ${rows[0]?.count}
# HELP links_answers_total Answers since the start, by where they came from.
# TYPE links_answers_total counter
${counted.join('\n')}
`;
}

function secret(variable: string): string {
  return readFileSync(process.env[variable] ?? '', 'utf8').trim();
}

server.listen(8080, () => console.log('web: listening on port 8080'));
process.on('SIGTERM', () => {
  server.close(() => void Promise.all([database.end(), cache.quit()]).then(() => process.exit(0)));
  server.closeIdleConnections();
});
