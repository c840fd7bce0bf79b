import { createHash } from 'node:crypto';
import type { Service } from '../project.ts';
import { toGoJson } from './json.ts';
import { printedService } from './ordered.ts';

/**
 * What Compose writes on a container as `com.docker.compose.config-hash`: another hash says that it must be made anew.
 * What does not change a container (how its image is built and pulled, how many there are, what it waits for) is not in it.
 * @returns hex, the same that docker compose computes
 */
export function serviceHash(service: Service): string {
  const {
    build: _,
    pull_policy: __,
    scale: ___,
    depends_on: ____,
    profiles: _____,
    deploy,
    ...hashed
  } = service;
  const { replicas: ______, ...placed } = deploy ?? {};
  const counted: Service = deploy == null ? hashed : { ...hashed, deploy: placed };
  return createHash('sha256')
    .update(toGoJson(printedService(counted, 'json')))
    .digest('hex');
}
