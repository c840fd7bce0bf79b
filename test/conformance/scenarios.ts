import type { Scenario } from './scenario.ts';
import { apiScenarios } from './scenarios/api.ts';
import { buildScenarios } from './scenarios/build.ts';
import { changingScenarios } from './scenarios/changing.ts';
import { eventsScenarios } from './scenarios/events.ts';
import { execScenarios } from './scenarios/exec.ts';
import { filesScenarios } from './scenarios/files.ts';
import { flagsScenarios } from './scenarios/flags.ts';
import { imagesScenarios } from './scenarios/images.ts';
import { inspectScenarios } from './scenarios/inspect.ts';
import { lifecycleScenarios } from './scenarios/lifecycle.ts';
import { logsScenarios } from './scenarios/logs.ts';
import { lookingScenarios } from './scenarios/looking.ts';
import { namesScenarios } from './scenarios/names.ts';
import { networksScenarios } from './scenarios/networks.ts';
import { observeScenarios } from './scenarios/observe.ts';
import { pruneScenarios } from './scenarios/prune.ts';
import { registryScenarios } from './scenarios/registry.ts';
import { resourcesScenarios } from './scenarios/resources.ts';
import { restartScenarios } from './scenarios/restarts.ts';
import { runScenarios } from './scenarios/run.ts';
import { secretsScenarios } from './scenarios/secrets.ts';
import { securityScenarios } from './scenarios/security.ts';
import { statesScenarios } from './scenarios/states.ts';
import { streamsScenarios } from './scenarios/streams.ts';
import { systemScenarios } from './scenarios/system.ts';
import { volumesScenarios } from './scenarios/volumes.ts';

/** Every scenario, by group; the group is also the name of its file and of its recorded answers. */
export const groups: Record<string, readonly Scenario[]> = {
  run: runScenarios,
  logs: logsScenarios,
  exec: execScenarios,
  lifecycle: lifecycleScenarios,
  inspect: inspectScenarios,
  looking: lookingScenarios,
  changing: changingScenarios,
  states: statesScenarios,
  streams: streamsScenarios,
  flags: flagsScenarios,
  restarts: restartScenarios,
  observe: observeScenarios,
  events: eventsScenarios,
  files: filesScenarios,
  images: imagesScenarios,
  build: buildScenarios,
  registry: registryScenarios,
  networks: networksScenarios,
  names: namesScenarios,
  volumes: volumesScenarios,
  security: securityScenarios,
  resources: resourcesScenarios,
  api: apiScenarios,
  system: systemScenarios,
  secrets: secretsScenarios,
  prune: pruneScenarios,
};
