import { createServer } from 'node:http';
import { userInfo } from 'node:os';
import { greet } from './greet.js';

const server = createServer((request, response) => response.end(greet(new URL(request.url, 'http://x'))));
server.listen(Number(process.env.PORT), async () => {
  const answer = await fetch(`http://127.0.0.1:${process.env.PORT}/?name=ada`);
  console.log(userInfo().username, process.env.NODE_ENV, await answer.text());
  if (process.argv[2] === 'once') process.exit();
});
process.on('SIGTERM', () => process.exit(0));
