import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { scene } from '../templates/cases.ts';
import { askDocker, askGantry, cases } from '../templates/clients.ts';
import { Machine } from './machine.ts';

/** Both clients ask one daemon with the same templates. What needs no daemon is in test/templates alone. */
describe('templates side by side', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('templates');
    for (const line of scene) await machine.must(line);
  });
  after(() => machine?.stop());

  // A sample: all of them are run on recorded answers (test/templates), which takes a tenth of the time.
  const asked = cases.filter(({ command }, at) => !command.startsWith('context') && at % 6 === 0);
  for (const command of new Set(asked.map(one => one.command))) {
    test(command, async () => {
      const { DOCKER_BUILDKIT: _, ...env } = machine.docker.env;
      for (const one of asked.filter(other => other.command === command)) {
        const docker = await askDocker(one, env);
        assert.deepEqual(
          { template: one.template, ...(await askGantry(one, env)) },
          { template: one.template, ...docker },
        );
      }
    });
  }
});
