import type { SystemInfo } from '../../api/system.ts';
import { perform } from '../../client/operation.ts';
import { systemOperations } from '../../client/operations.ts';
import { messageOf } from '../../stdx/errors.ts';
import { toJson } from '../../stdx/template/json.ts';
import { type Command, noArguments } from '../command.ts';
import { ExitError } from '../errors.ts';
import { dockerTypes } from '../output/docker-types.ts';
import { inspectFormatFlag, printTemplate, readInspectTemplate } from '../output/inspection.ts';
import { binarySize } from '../output/units.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Display system-wide information',
  aliases: 'system info, info',
  flags: `
${inspectFormatFlag}
`,
  takes: noArguments,
  async run({ session, flags }) {
    const { version } = session.surroundings.build;
    const format = flags.string('format');
    const template = format === '' || format === 'json' ? undefined : readInspectTemplate(format);
    const clientInfo = {
      Debug: session.debug,
      Version: version,
      Context: session.contextName(),
      Plugins: [],
      Warnings: null,
    };
    let server: SystemInfo | undefined;
    let fault = '';
    try {
      server = await perform(await session.client(), systemOperations.info, {});
    } catch (error) {
      fault = messageOf(error);
    }
    const shown = {
      ...server,
      ServerErrors: server === undefined ? [fault] : undefined,
      ClientInfo: clientInfo,
    };
    if (format === 'json') session.out.line(toJson(shown));
    else if (template !== undefined) {
      printTemplate(session, template, dockerTypes.decode('system.dockerInfo', shown));
    } else {
      session.out.write(
        `Client:\n Version:    ${version}\n Context:    ${clientInfo.Context}\n Debug Mode: ${clientInfo.Debug}\n\nServer:\n`,
      );
      if (server !== undefined)
        session.out.write(
          `${describe(server)
            .map(line => ` ${line}`)
            .join('\n')}\n\n`,
        );
      for (const warning of server?.Warnings ?? []) session.err.line(warning);
    }
    if (server === undefined) throw new ExitError(1, fault);
  },
};

function describe(info: SystemInfo): string[] {
  return [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
    `Server Version: ${info.ServerVersion}`,
    `Storage Driver: ${info.Driver}`,
    ...(info.DriverStatus ?? []).map(([name, value]) => ` ${name}: ${value}`),
    `Logging Driver: ${info.LoggingDriver}`,
    `Cgroup Driver: ${info.CgroupDriver}`,
    ...(info.CgroupVersion ? [`Cgroup Version: ${info.CgroupVersion}`] : []),
    'Plugins:',
    ` Volume: ${(info.Plugins?.Volume ?? []).join(' ')}`,
    ` Network: ${(info.Plugins?.Network ?? []).join(' ')}`,
    ...(info.Plugins?.Log?.length ? [` Log: ${info.Plugins.Log.join(' ')}`] : []),
    `Swarm: ${info.Swarm?.LocalNodeState ?? 'inactive'}`,
    ...describeRuntimes(info),
    ...describeSecurity(info.SecurityOptions ?? []),
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${binarySize(info.MemTotal)}`,
    `Name: ${info.Name}`,
    `ID: ${info.ID}`,
    `Docker Root Dir: ${info.DockerRootDir}`,
    `Debug Mode: ${info.Debug}`,
    ...(info.HttpProxy ? [`HTTP Proxy: ${info.HttpProxy}`] : []),
    ...(info.HttpsProxy ? [`HTTPS Proxy: ${info.HttpsProxy}`] : []),
    ...(info.NoProxy ? [`No Proxy: ${info.NoProxy}`] : []),
    ...(info.Labels?.length ? ['Labels:', ...info.Labels.map(label => ` ${label}`)] : []),
    `Experimental: ${info.ExperimentalBuild}`,
    ...describeRegistries(info),
    `Live Restore Enabled: ${info.LiveRestoreEnabled}`,
    ...(info.DefaultAddressPools?.length
      ? [
          'Default Address Pools:',
          ...info.DefaultAddressPools.map(({ Base, Size }) => `  Base: ${Base}, Size: ${Size}`),
        ]
      : []),
  ];
}

function describeRuntimes(info: SystemInfo): string[] {
  return [
    `Runtimes: ${Object.keys(info.Runtimes ?? {})
      .sort()
      .join(' ')}`,
    `Default Runtime: ${info.DefaultRuntime}`,
    ...(info.InitBinary ? [`Init Binary: ${info.InitBinary}`] : []),
    ...(info.ContainerdCommit?.ID ? [`containerd version: ${info.ContainerdCommit.ID}`] : []),
    ...(info.RuncCommit?.ID ? [`runc version: ${info.RuncCommit.ID}`] : []),
    ...(info.InitCommit === undefined ? [] : [`init version: ${info.InitCommit.ID}`]),
  ];
}

/** `name=seccomp,profile=default`: the name, and below it what else is said. */
function describeSecurity(options: readonly string[]): string[] {
  if (options.length === 0) return [];
  const lines = ['Security Options:'];
  for (const option of options) {
    const pairs = option.split(',').map(pair => pair.split('=', 2) as [string, string?]);
    lines.push(` ${pairs.find(([key]) => key === 'name')?.[1] ?? option}`);
    for (const [key, value] of pairs) if (key === 'profile') lines.push(`  Profile: ${value}`);
  }
  return lines;
}

function describeRegistries({ RegistryConfig: config }: SystemInfo): string[] {
  if (!config) return [];
  const insecure = Object.values(config.IndexConfigs ?? {})
    .filter(({ Secure }) => !Secure)
    .map(({ Name }) => ` ${Name}`);
  const lines = [
    'Insecure Registries:',
    ...insecure,
    ...(config.InsecureRegistryCIDRs ?? []).map(cidr => ` ${cidr}`),
  ];
  return [
    ...lines,
    ...(config.Mirrors?.length ? ['Registry Mirrors:', ...config.Mirrors.map(mirror => ` ${mirror}`)] : []),
  ];
}
