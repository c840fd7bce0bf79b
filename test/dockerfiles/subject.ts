import { join } from 'node:path';
import { Daemon, repository } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { runProgram } from '../support/run-program.ts';
import { World } from '../support/world.ts';
import type { BuildingSide } from './place.ts';

/** Gantry's daemon and client. */
export async function startSubject(): Promise<BuildingSide> {
  const world = await World.start('dockerfiles');
  try {
    const daemon = await Daemon.start(world, 'gantryd');
    const { env } = new DockerClient(daemon, { DOCKER_BUILDKIT: '1' });
    return {
      world,
      socket: daemon.socket,
      client: [join(repository, 'gantry')],
      run: (argv, options = {}) => runProgram(argv, { ...options, env: { ...env, ...options.env } }),
    };
  } catch (error) {
    await world.stop();
    throw error;
  }
}
