import type { ContainerEditRequest } from '../../api/containers.ts';
import type { FlagValues } from '../flags.ts';
import { argument } from './argument.ts';
import { planEnvironment, planLabels } from './environment.ts';
import { parseMount, planVolumes } from './mounts.ts';
import { planNetwork } from './networks.ts';
import { planPorts } from './ports.ts';

/** Flags of `update` that Docker does not have: they edit what else is fixed once a container is made. */
export const editFlags = `
      --dry-run  Only show what would be changed, and whether it takes a restart
  -e, --env list  Set environment variables
      --env-file list  Read in a file of environment variables
      --hostname string  Container host name
  -l, --label list  Set meta data on a container
      --mount mount  Attach a filesystem mount to the container
      --network network  Connect a container to a network
      --no-network list  Disconnect a container from a network
  -p, --publish list  Publish a container's port(s) to the host
      --remove-label list  Remove meta data from a container
      --unmount list  Take away what is mounted at a path; volumes keep their content
      --unpublish list  Take a container's port(s) off the host
      --unset-env list  Remove environment variables
  -v, --volume list  Bind mount a volume
      --wait-healthy  Wait until the container is healthy, and take the old configuration back when it does not get so
`;

interface Place {
  env: Readonly<Record<string, string | undefined>>;
  workingDirectory: string;
}

/**
 * What the flags ask for, as the API takes it; only what was given.
 * @param command the new one, when there is one
 * @throws invalid, in Docker's words
 */
export function planEdit(
  flags: FlagValues,
  command: readonly string[] | undefined,
  { env, workingDirectory }: Place,
): ContainerEditRequest {
  const volumes = planVolumes(flags.list('volume'), workingDirectory);
  const environment = planEnvironment(flags.list('env-file'), flags.list('env'), env);
  const mounts = flags
    .list('mount')
    .map(text => argument('--mount', text, () => parseMount(text, workingDirectory)));
  const request: ContainerEditRequest = {
    Publish: planPorts(flags.list('publish'), []).bindings,
    // The same notation as --expose: a port or a range, with or without a protocol.
    Unpublish: planPorts([], flags.list('unpublish')).exposed,
    Env: environment,
    UnsetEnv: flags.list('unset-env'),
    Binds: volumes.binds,
    Volumes: volumes.anonymous,
    Mounts: mounts,
    Unmount: flags.list('unmount'),
    Labels: planLabels([], flags.list('label')),
    RemoveLabels: flags.list('remove-label'),
    Networks: Object.fromEntries(flags.list('network').map(planNetwork)),
    LeaveNetworks: flags.list('no-network'),
    Hostname: flags.given('hostname'),
    Cmd: command === undefined ? undefined : [...command],
  };
  return Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined && Object.keys(value).length > 0),
  );
}
