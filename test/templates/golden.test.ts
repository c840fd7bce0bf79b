import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serveCanned } from './canned-daemon.ts';
import { askGantry, cases, type Said } from './clients.ts';

const read = (name: string) => JSON.parse(readFileSync(join(import.meta.dirname, 'golden', name), 'utf8'));
const golden: Record<string, Record<string, Said>> = read('said.json');

/** Every template, on answers a daemon once gave, prints what docker's client printed of them (record.ts). */
describe('templates as docker runs them', () => {
  let folder: string;
  let server: Server;
  let env: Record<string, string>;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-golden-'));
    const socket = join(folder, 'canned.sock');
    server = await serveCanned(read('answers.json'), socket);
    env = { HOME: folder, TZ: 'UTC', DOCKER_HOST: `unix://${socket}` };
  });
  after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  for (const command of new Set(cases.map(one => one.command))) {
    test(command, async () => {
      for (const one of cases.filter(other => other.command === command)) {
        assert.deepEqual(
          { template: one.template, ...(await askGantry(one, env)) },
          { template: one.template, ...golden[command]?.[one.template] },
        );
      }
    });
  }
});
