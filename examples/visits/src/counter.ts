import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

/** Counts, and keeps the count in a volume: it survives this container. */
const file = '/data/visits';

function read(): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    // The first start: there is no file yet.
    return 0;
  }
}

let visits = read();

const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/next') {
    visits++;
    writeFileSync(`${file}.new`, String(visits));
    renameSync(`${file}.new`, file);
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ visits }));
});

server.listen(8080, () => console.log(`counter: ${visits} visits so far`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
