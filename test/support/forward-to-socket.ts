import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

/** `forward-to-socket.ts SOCKET ADDRESS PORT`: connections to the address are handed on to the unix socket. It says so once it listens. */
const [socket, address, port] = process.argv.slice(2);

createServer(client => {
  const server = connect(socket!);
  pipeline(client, server, () => {});
  pipeline(server, client, () => {});
}).listen(Number(port), address, () => console.log('listening'));
