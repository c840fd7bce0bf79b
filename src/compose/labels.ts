/** Docker Compose's labels: what it and Gantry know a project's resources by. */
export const composeLabels = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
  slug: 'com.docker.compose.slug',
  configHash: 'com.docker.compose.config-hash',
  imageDigest: 'com.docker.compose.image',
  dependsOn: 'com.docker.compose.depends_on',
  configFiles: 'com.docker.compose.project.config_files',
  environmentFiles: 'com.docker.compose.project.environment_file',
  workingDirectory: 'com.docker.compose.project.working_dir',
  version: 'com.docker.compose.version',
  network: 'com.docker.compose.network',
  volume: 'com.docker.compose.volume',
  replaces: 'com.docker.compose.replace',
} as const;

/**
 * The version of docker compose whose labels and names these are. docker-compose 1.x reads it from every container of a
 * project, and breaks off where there is none.
 */
export const composeLabelsVersion = '2.40.3';
