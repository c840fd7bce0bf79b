import { createServer, type IncomingMessage } from 'node:http';

/** The pages. Everything that is kept is asked of the api. */
const apiUrl = process.env['API_URL'] ?? 'http://api:8080';
const title = process.env['TITLE'] ?? 'Guestbook';

interface Entries {
  entries: { name: string; message: string }[];
  views: number;
}

const server = createServer(async (request, response) => {
  try {
    switch (`${request.method} ${request.url}`) {
      case 'GET /health':
        response.end('ok\n');
        return;
      case 'GET /':
        response.setHeader('content-type', 'text/html; charset=utf-8');
        response.end(page((await (await fetch(`${apiUrl}/entries`)).json()) as Entries));
        return;
      case 'POST /': {
        const body = JSON.stringify(Object.fromEntries(await formOf(request)));
        const { status } = await fetch(`${apiUrl}/entries`, { method: 'POST', body });
        response.writeHead(status === 201 ? 303 : status, { location: '/' }).end();
        return;
      }
      default:
        response.writeHead(404).end('not found\n');
    }
  } catch (error) {
    console.error(`${request.method} ${request.url}: ${error}`);
    response.writeHead(502).end('the api does not answer\n');
  }
});

function page({ entries, views }: Entries): string {
  const items = entries.map(({ name, message }) => `<li><b>${escaped(name)}</b>: ${escaped(message)}</li>`);
  return `<!doctype html>
<title>${escaped(title)}</title>
<h1>${escaped(title)}</h1>
<ul>
${items.join('\n')}
</ul>
<form method="post"><input name="name" placeholder="name"> <input name="message" placeholder="message"> <button>Write</button></form>
<p>Seen ${views} times.</p>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

server.listen(8080, () => console.log('web: listening on port 8080'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
