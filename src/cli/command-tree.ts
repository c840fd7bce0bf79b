import type { Command } from './command.ts';
import { composeCommandFlags, composeFlags } from './compose/flags.ts';

export interface CommandEntry {
  short: string;
  load: () => Promise<{ command: Command }>;
  hidden?: boolean;
}

export interface CommandGroup {
  short: string;
  /** Flags between the group's name and the command's, for all of its commands. */
  flags?: string;
  /** Flags of each of its commands. */
  commandFlags?: string;
  /** The status of a wrong line; 125, as docker has it, without it. */
  misuseStatus?: number;
  commands: Record<string, CommandEntry>;
  hidden?: boolean;
}

export function isGroup(entry: CommandEntry | CommandGroup): entry is CommandGroup {
  return 'commands' in entry;
}

function entry(short: string, load: CommandEntry['load']): CommandEntry {
  return { short, load };
}

function hidden(of: CommandEntry): CommandEntry {
  return { ...of, hidden: true };
}

// Each command is loaded when it is called; only names and one-line descriptions are here.

const ofContainers = {
  attach: entry(
    'Attach local standard input, output, and error streams to a running container',
    () => import('./commands/attach.ts'),
  ),
  commit: entry("Create a new image from a container's changes", () => import('./commands/commit.ts')),
  cp: entry(
    'Copy files/folders between a container and the local filesystem',
    () => import('./commands/cp.ts'),
  ),
  create: entry('Create a new container', () => import('./commands/create.ts')),
  diff: entry(
    "Inspect changes to files or directories on a container's filesystem",
    () => import('./commands/diff.ts'),
  ),
  exec: entry('Execute a command in a running container', () => import('./commands/exec.ts')),
  export: entry("Export a container's filesystem as a tar archive", () => import('./commands/export.ts')),
  kill: entry('Kill one or more running containers', () => import('./commands/kill.ts')),
  logs: entry('Fetch the logs of a container', () => import('./commands/logs.ts')),
  pause: entry('Pause all processes within one or more containers', () => import('./commands/pause.ts')),
  port: entry(
    'List port mappings or a specific mapping for the container',
    () => import('./commands/port.ts'),
  ),
  rename: entry('Rename a container', () => import('./commands/rename.ts')),
  restart: entry('Restart one or more containers', () => import('./commands/restart.ts')),
  rm: entry('Remove one or more containers', () => import('./commands/rm.ts')),
  run: entry('Create and run a new container from an image', () => import('./commands/run.ts')),
  start: entry('Start one or more stopped containers', () => import('./commands/start.ts')),
  stats: entry(
    'Display a live stream of container(s) resource usage statistics',
    () => import('./commands/stats.ts'),
  ),
  stop: entry('Stop one or more running containers', () => import('./commands/stop.ts')),
  top: entry('Display the running processes of a container', () => import('./commands/top.ts')),
  unpause: entry(
    'Unpause all processes within one or more containers',
    () => import('./commands/unpause.ts'),
  ),
  update: entry('Update configuration of one or more containers', () => import('./commands/update.ts')),
  why: entry(
    'Say why a container does not work, with evidence and what mends it',
    () => import('./commands/why.ts'),
  ),
  wait: entry(
    'Block until one or more containers stop, then print their exit codes',
    () => import('./commands/wait.ts'),
  ),
};
const ps = entry('List containers', () => import('./commands/ps.ts'));

const ofImages = {
  build: entry('Build an image from a Dockerfile', () => import('./commands/build.ts')),
  history: entry('Show the history of an image', () => import('./commands/history.ts')),
  import: entry(
    'Import the contents from a tarball to create a filesystem image',
    () => import('./commands/import.ts'),
  ),
  load: entry('Load an image from a tar archive or STDIN', () => import('./commands/load.ts')),
  pull: entry('Download an image from a registry', () => import('./commands/pull.ts')),
  push: entry('Upload an image to a registry', () => import('./commands/push.ts')),
  save: entry(
    'Save one or more images to a tar archive (streamed to STDOUT by default)',
    () => import('./commands/save.ts'),
  ),
  tag: entry('Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', () => import('./commands/tag.ts')),
};
const images = entry('List images', () => import('./commands/images.ts'));
const rmi = entry('Remove one or more images', () => import('./commands/rmi.ts'));
const events = entry('Get real time events from the server', () => import('./commands/events.ts'));
const info = entry('Display system-wide information', () => import('./commands/info.ts'));

const container: CommandGroup = {
  short: 'Manage containers',
  commands: sorted({
    ...ofContainers,
    inspect: entry(
      'Display detailed information on one or more containers',
      () => import('./commands/container/inspect.ts'),
    ),
    ls: ps,
    list: hidden(ps),
    ps: hidden(ps),
    remove: hidden(ofContainers.rm),
    prune: entry('Remove all stopped containers', () => import('./commands/container/prune.ts')),
  }),
};

const image: CommandGroup = {
  short: 'Manage images',
  commands: sorted({
    ...ofImages,
    bootstrap: entry(
      "Make a base image from the distribution's own packages",
      () => import('./commands/image/bootstrap.ts'),
    ),
    inspect: entry(
      'Display detailed information on one or more images',
      () => import('./commands/image/inspect.ts'),
    ),
    ls: images,
    list: hidden(images),
    prune: entry('Remove unused images', () => import('./commands/image/prune.ts')),
    rm: rmi,
    remove: hidden(rmi),
  }),
};

const listNetworks = entry('List networks', () => import('./commands/network/ls.ts'));
const removeNetworks = entry('Remove one or more networks', () => import('./commands/network/rm.ts'));
const network: CommandGroup = {
  short: 'Manage networks',
  commands: {
    capture: entry(
      'Write the packets of a container or a network to a pcap file',
      () => import('./commands/network/capture.ts'),
    ),
    connect: entry('Connect a container to a network', () => import('./commands/network/connect.ts')),
    create: entry('Create a network', () => import('./commands/network/create.ts')),
    disconnect: entry(
      'Disconnect a container from a network',
      () => import('./commands/network/disconnect.ts'),
    ),
    egress: entry(
      'Show or change what containers of a network may reach outside',
      () => import('./commands/network/egress.ts'),
    ),
    inspect: entry(
      'Display detailed information on one or more networks',
      () => import('./commands/network/inspect.ts'),
    ),
    ls: listNetworks,
    list: hidden(listNetworks),
    prune: entry('Remove all unused networks', () => import('./commands/network/prune.ts')),
    rm: removeNetworks,
    remove: hidden(removeNetworks),
    trace: entry(
      'Walk the way from a container to an address, and say where it breaks',
      () => import('./commands/network/trace.ts'),
    ),
  },
};

const listVolumes = entry('List volumes', () => import('./commands/volume/ls.ts'));
const removeVolumes = entry('Remove one or more volumes', () => import('./commands/volume/rm.ts'));
const volume: CommandGroup = {
  short: 'Manage volumes',
  commands: {
    clone: entry(
      'Create a volume with the content and labels of another one',
      () => import('./commands/volume/clone.ts'),
    ),
    create: entry('Create a volume', () => import('./commands/volume/create.ts')),
    export: entry('Export what is in a volume as a tar archive', () => import('./commands/volume/export.ts')),
    import: entry(
      'Create a volume from a tar archive, compressed or not',
      () => import('./commands/volume/import.ts'),
    ),
    inspect: entry(
      'Display detailed information on one or more volumes',
      () => import('./commands/volume/inspect.ts'),
    ),
    ls: listVolumes,
    list: hidden(listVolumes),
    prune: entry('Remove unused local volumes', () => import('./commands/volume/prune.ts')),
    rename: entry(
      'Rename a volume, also in the containers that have it',
      () => import('./commands/volume/rename.ts'),
    ),
    restore: entry(
      'Make a volume again what it was when a snapshot was made',
      () => import('./commands/volume/restore.ts'),
    ),
    rm: removeVolumes,
    'rm-snapshot': entry('Remove snapshots of a volume', () => import('./commands/volume/rm-snapshot.ts')),
    snapshot: entry(
      'Keep a copy of what is in a volume now, beside it',
      () => import('./commands/volume/snapshot.ts'),
    ),
    snapshots: entry(
      'List the snapshots of a volume, oldest first',
      () => import('./commands/volume/snapshots.ts'),
    ),
    remove: hidden(removeVolumes),
  },
};

const listSecrets = entry('List secrets', () => import('./commands/secret/ls.ts'));
const removeSecrets = entry('Remove one or more secrets', () => import('./commands/secret/rm.ts'));
const secret: CommandGroup = {
  short: 'Manage secrets',
  commands: {
    create: entry(
      'Create a secret from a file or STDIN as content',
      () => import('./commands/secret/create.ts'),
    ),
    inspect: entry(
      'Display detailed information on one or more secrets',
      () => import('./commands/secret/inspect.ts'),
    ),
    ls: listSecrets,
    list: hidden(listSecrets),
    rm: removeSecrets,
    remove: hidden(removeSecrets),
  },
};

const system: CommandGroup = {
  short: 'Manage the engine',
  commands: {
    df: entry('Show disk usage', () => import('./commands/system/df.ts')),
    events,
    info,
    prune: entry('Remove unused data', () => import('./commands/system/prune.ts')),
  },
};

const listContexts = entry('List contexts', () => import('./commands/context/ls.ts'));
const removeContexts = entry('Remove one or more contexts', () => import('./commands/context/rm.ts'));
const context: CommandGroup = {
  short: 'Manage contexts',
  commands: {
    create: entry('Create a context', () => import('./commands/context/create.ts')),
    inspect: entry(
      'Display detailed information on one or more contexts',
      () => import('./commands/context/inspect.ts'),
    ),
    ls: listContexts,
    list: hidden(listContexts),
    rm: removeContexts,
    remove: hidden(removeContexts),
    show: entry('Print the name of the current context', () => import('./commands/context/show.ts')),
    use: entry('Set the current context', () => import('./commands/context/use.ts')),
  },
};

const listSchedules = entry('List schedules', () => import('./commands/schedule/ls.ts'));
const schedule: CommandGroup = {
  short: 'Manage containers that are started by a schedule',
  commands: {
    history: entry('Show the runs of a schedule', () => import('./commands/schedule/history.ts')),
    ls: listSchedules,
    list: hidden(listSchedules),
    pause: entry('Pause one or more schedules', () => import('./commands/schedule/pause.ts')),
    resume: entry('Resume one or more schedules', () => import('./commands/schedule/resume.ts')),
    run: entry(
      'Start one or more containers now, out of their turn',
      () => import('./commands/schedule/run.ts'),
    ),
  },
};

const ofBuilds = {
  build: ofImages.build,
  du: entry('Disk usage of the build cache', () => import('./commands/builder/du.ts')),
  prune: entry('Remove build cache', () => import('./commands/builder/prune.ts')),
};

const builder: CommandGroup = { short: 'Manage builds', commands: ofBuilds };

/** What users of Docker's plugin type. */
const buildx: CommandGroup = {
  short: 'Manage builds',
  hidden: true,
  commands: { b: hidden(ofImages.build), ...ofBuilds },
};

const composeConfig = entry(
  'Parse, resolve and render compose file in canonical format',
  () => import('./commands/compose/config.ts'),
);
const compose: CommandGroup = {
  short: 'Define and run multi-container applications',
  flags: `${composeFlags}${composeCommandFlags}`,
  commandFlags: composeCommandFlags,
  misuseStatus: 1,
  commands: {
    attach: entry(
      "Attach local standard input, output, and error streams to a service's running container",
      () => import('./commands/compose/attach.ts'),
    ),
    build: entry('Build or rebuild services', () => import('./commands/compose/build.ts')),
    commit: entry(
      "Create a new image from a service container's changes",
      () => import('./commands/compose/commit.ts'),
    ),
    config: composeConfig,
    convert: hidden(composeConfig),
    cp: entry(
      'Copy files/folders between a service container and the local filesystem',
      () => import('./commands/compose/cp.ts'),
    ),
    create: entry('Creates containers for a service', () => import('./commands/compose/create.ts')),
    down: entry('Stop and remove containers, networks', () => import('./commands/compose/down.ts')),
    events: entry('Receive real time events from containers', () => import('./commands/compose/events.ts')),
    exec: entry('Execute a command in a running container', () => import('./commands/compose/exec.ts')),
    export: entry(
      "Export a service container's filesystem as a tar archive",
      () => import('./commands/compose/export.ts'),
    ),
    images: entry('List images used by the created containers', () => import('./commands/compose/images.ts')),
    kill: entry('Force stop service containers', () => import('./commands/compose/kill.ts')),
    logs: entry('View output from containers', () => import('./commands/compose/logs.ts')),
    ls: entry('List running compose projects', () => import('./commands/compose/ls.ts')),
    pause: entry('Pause services', () => import('./commands/compose/pause.ts')),
    plan: entry('Show what up would do, and do nothing', () => import('./commands/compose/plan.ts')),
    port: entry('Print the public port for a port binding', () => import('./commands/compose/port.ts')),
    ps: entry('List containers', () => import('./commands/compose/ps.ts')),
    pull: entry('Pull service images', () => import('./commands/compose/pull.ts')),
    push: entry('Push service images', () => import('./commands/compose/push.ts')),
    restart: entry('Restart service containers', () => import('./commands/compose/restart.ts')),
    rm: entry('Removes stopped service containers', () => import('./commands/compose/rm.ts')),
    run: entry('Run a one-off command on a service', () => import('./commands/compose/run.ts')),
    scale: entry('Scale services', () => import('./commands/compose/scale.ts')),
    services: entry(
      'List services with what became of them, or export them as JSON',
      () => import('./commands/compose/services.ts'),
    ),
    start: entry('Start services', () => import('./commands/compose/start.ts')),
    stats: entry(
      'Display a live stream of container(s) resource usage statistics',
      () => import('./commands/compose/stats.ts'),
    ),
    stop: entry('Stop services', () => import('./commands/compose/stop.ts')),
    top: entry('Display the running processes', () => import('./commands/compose/top.ts')),
    unpause: entry('Unpause services', () => import('./commands/compose/unpause.ts')),
    up: entry('Create and start containers', () => import('./commands/compose/up.ts')),
    version: entry('Show the Compose version information', () => import('./commands/compose/version.ts')),
    wait: entry(
      'Block until containers of all (or specified) services stop.',
      () => import('./commands/compose/wait.ts'),
    ),
    volumes: entry('List volumes', () => import('./commands/compose/volumes.ts')),
    watch: entry(
      'Watch build context for service and rebuild/refresh containers when files are updated',
      () => import('./commands/compose/watch.ts'),
    ),
  },
};

/** All commands by name. */
export const commandTree: Record<string, CommandEntry | CommandGroup> = sorted({
  ...ofContainers,
  ...ofImages,
  builder,
  buildx,
  compose,
  completion: entry('Print a shell completion script', () => import('./commands/completion.ts')),
  container,
  context,
  daemon: entry('Run the daemon', () => import('./commands/launcher-only.ts')),
  demo: entry(
    'Build, run and reach an application, and say what was done',
    () => import('./commands/launcher-only.ts'),
  ),
  doctor: entry('Report whether this host can run containers', () => import('./commands/launcher-only.ts')),
  events,
  image,
  images,
  info,
  inspect: entry('Return low-level information on Docker objects', () => import('./commands/inspect.ts')),
  login: entry('Authenticate to a registry', () => import('./commands/login.ts')),
  logout: entry('Log out from a registry', () => import('./commands/logout.ts')),
  network,
  ps,
  rmi,
  schedule,
  search: entry('Search a registry for images', () => import('./commands/search.ts')),
  secret,
  setup: entry('Install what is missing on this host', () => import('./commands/launcher-only.ts')),
  system,
  version: entry('Show the version information', () => import('./commands/version.ts')),
  volume,
});

function sorted<T>(commands: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(commands).sort(([left], [right]) => (left < right ? -1 : 1)));
}
