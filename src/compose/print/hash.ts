import { sha256OfText } from '../../stdx/sha256.ts';
import type { Network, Service, Volume } from '../project.ts';
import { toGoJson } from './json.ts';
import { printedNetwork, printedService, printedVolume } from './ordered.ts';

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
  return hashOf(printedService(counted, 'json'));
}

/** What Compose writes on a network it makes: with another hash it must be made anew. */
export function networkHash(network: Network): string {
  const { options: _, ...ipam } = network.ipam ?? {};
  return hashOf(printedNetwork({ ...network, ipam }));
}

export function volumeHash(volume: Volume): string {
  return hashOf(printedVolume({ ...volume, driver: volume.driver ?? 'local' }));
}

function hashOf(printed: unknown): string {
  return sha256OfText(toGoJson(printed));
}
