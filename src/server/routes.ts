import type { Route } from './call.ts';
import { archiveRoutes } from './routes/archive.ts';
import { buildRoutes } from './routes/build.ts';
import { buildkitRoutes } from './routes/buildkit.ts';
import { containerRoutes } from './routes/containers.ts';
import { execRoutes } from './routes/exec.ts';
import { failedStepRoutes } from './routes/failed-steps.ts';
import { gantryRoutes } from './routes/gantry.ts';
import { imageTransferRoutes } from './routes/image-transfer.ts';
import { imageRoutes } from './routes/images.ts';
import { lifecycleRoutes } from './routes/lifecycle.ts';
import { networkRoutes } from './routes/networks.ts';
import { secretRoutes } from './routes/secrets.ts';
import { streamRoutes } from './routes/streams.ts';
import { swarmRoutes } from './routes/swarm.ts';
import { systemRoutes } from './routes/system.ts';
import { volumeCopyRoutes } from './routes/volume-copies.ts';
import { volumeRoutes } from './routes/volumes.ts';

/** Everything that can be asked for. */
export const allRoutes: readonly Route[] = [
  ...systemRoutes,
  ...containerRoutes,
  ...lifecycleRoutes,
  ...streamRoutes,
  ...archiveRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...imageTransferRoutes,
  ...buildRoutes,
  ...buildkitRoutes,
  ...failedStepRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...volumeCopyRoutes,
  ...secretRoutes,
  ...swarmRoutes,
  ...gantryRoutes,
];
