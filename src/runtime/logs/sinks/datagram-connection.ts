import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SOCK_DGRAM } from '../../../linux/constants.ts';
import { sendMemory } from '../../../linux/datagram.ts';
import { connectUnix, sendPacket } from '../../../linux/sockets.ts';
import { errnoOf } from '../../../stdx/errors.ts';

/** Sends datagrams, one message each. */
export interface DatagramConnection {
  /** @returns how many were taken @throws when not even the first was */
  send(datagrams: readonly Buffer[]): Promise<number>;
  close(): void;
}

export class UdpConnection implements DatagramConnection {
  readonly #host: string;
  readonly #port: number;
  #open: { socket: Socket; address: string } | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  async send(datagrams: readonly Buffer[]): Promise<number> {
    this.#open ??= await openUdp(this.#host);
    const { socket, address } = this.#open;
    for (const [index, datagram] of datagrams.entries()) {
      try {
        await new Promise<void>((resolve, reject) => {
          socket.send(datagram, this.#port, address, error => (error ? reject(error) : resolve()));
        });
      } catch (error) {
        if (index === 0) throw error;
        return index;
      }
    }
    return datagrams.length;
  }

  close(): void {
    this.#open?.socket.close();
    this.#open = undefined;
  }
}

async function openUdp(host: string): Promise<{ socket: Socket; address: string }> {
  const { address, family } = await lookup(host === '' ? '127.0.0.1' : host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  socket.on('error', () => {});
  return { socket, address };
}

/** How often a receiver whose queue is full is asked again. */
const fullRetryMs = 5;
const fullRetries = 2000;

/** A datagram socket of the unix family, as syslog daemons and the journal have. */
export class UnixDatagramConnection implements DatagramConnection {
  readonly #path: string;
  readonly #largeAsMemory: boolean;
  #fd: number | undefined;

  /** @param options.largeAsMemory what is too large for a datagram is sent as a sealed memory file, as the journal takes it */
  constructor(path: string, options: { largeAsMemory?: boolean } = {}) {
    this.#path = path;
    this.#largeAsMemory = options.largeAsMemory === true;
  }

  async send(datagrams: readonly Buffer[]): Promise<number> {
    for (const [index, datagram] of datagrams.entries()) {
      try {
        this.#fd ??= connectUnix(this.#path, SOCK_DGRAM);
        await this.#sendOne(this.#fd, datagram);
      } catch (error) {
        this.close();
        if (index === 0) throw error;
        return index;
      }
    }
    return datagrams.length;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  async #sendOne(fd: number, datagram: Buffer): Promise<void> {
    for (let retries = 0; ; retries++) {
      try {
        if (sendPacket(fd, datagram)) return;
      } catch (error) {
        if (errnoOf(error) !== 'EMSGSIZE' || !this.#largeAsMemory) throw error;
        if (sendMemory(fd, datagram)) return;
      }
      if (retries >= fullRetries) throw new Error(`${this.#path}: the receiver takes nothing`);
      await sleep(fullRetryMs);
    }
  }
}
