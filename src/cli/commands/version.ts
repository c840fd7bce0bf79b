import { compareVersions, newestApiVersion } from '../../api/paths.ts';
import type { VersionResponse } from '../../api/system.ts';
import { perform } from '../../client/operation.ts';
import { systemOperations } from '../../client/operations.ts';
import { messageOf } from '../../stdx/errors.ts';
import { toJson } from '../../stdx/template/json.ts';
import { type Command, noArguments } from '../command.ts';
import { ExitError } from '../errors.ts';
import { dockerTypes } from '../output/docker-types.ts';
import { inspectFormatFlag, printTemplate, readInspectTemplate } from '../output/inspection.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Show the version information',
  flags: `
${inspectFormatFlag}
`,
  takes: noArguments,
  async run({ session, flags }) {
    const format = flags.string('format');
    const template = format === '' || format === 'json' ? undefined : readInspectTemplate(format, 'version');
    const { server, fault } = await askServer(
      session,
      template === undefined || /\.Server|json \.(\s|\})/.test(format) || /ApiVersion/i.test(format),
    );
    const client = await clientVersion(session, server);
    const shown = dockerTypes.decode('system.versionInfo', { Client: client, Server: server ?? null });
    if (format === 'json') session.out.line(toJson(shown));
    else if (template !== undefined) printTemplate(session, template, shown);
    else session.out.write(describe(client, server));
    if (fault !== undefined) throw new ExitError(1, fault);
  },
};

interface ClientVersion {
  Version: string;
  ApiVersion: string;
  DefaultAPIVersion: string;
  GitCommit: string;
  NodeVersion: string;
  Os: string;
  Arch: string;
  BuildTime: string;
  Context: string;
}

/** A daemon that does not answer is told at the end; the client's half is shown all the same. */
async function askServer(
  session: Session,
  needed: boolean,
): Promise<{ server?: VersionResponse; fault?: string }> {
  if (!needed) return {};
  try {
    return { server: await perform(await session.client(), systemOperations.version, {}) };
  } catch (error) {
    return { fault: messageOf(error) };
  }
}

async function clientVersion(session: Session, server: VersionResponse | undefined): Promise<ClientVersion> {
  const { version, commit, builtAt } = session.surroundings.build;
  return {
    Version: version,
    ApiVersion: server === undefined ? newestApiVersion : await (await session.client()).version(),
    DefaultAPIVersion: newestApiVersion,
    GitCommit: commit,
    NodeVersion: process.version,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    BuildTime: builtAt,
    Context: session.contextName(),
  };
}

function describe(client: ClientVersion, server: VersionResponse | undefined): string {
  const downgraded = compareVersions(client.ApiVersion, client.DefaultAPIVersion) < 0;
  const api = downgraded
    ? `${client.ApiVersion} (downgraded from ${client.DefaultAPIVersion})`
    : client.ApiVersion;
  const lines = [
    'Client:',
    field(1, 'Version', client.Version),
    field(1, 'API version', api),
    field(1, 'Node version', client.NodeVersion),
    field(1, 'Git commit', client.GitCommit),
    field(1, 'Built', client.BuildTime),
    field(1, 'OS/Arch', `${client.Os}/${client.Arch}`),
    field(1, 'Context', client.Context),
  ];
  if (server !== undefined) lines.push('', ...describeServer(server));
  return `${lines.join('\n')}\n`;
}

function describeServer(server: VersionResponse): string[] {
  const lines = [server.Platform?.Name ? `Server: ${server.Platform.Name}` : 'Server:'];
  for (const component of server.Components ?? []) {
    const details = component.Details ?? {};
    lines.push(` ${component.Name}:`, field(2, 'Version', component.Version));
    if (component.Name === 'Engine') {
      lines.push(
        field(2, 'API version', `${details.ApiVersion} (minimum version ${details.MinAPIVersion})`),
        field(
          2,
          details.NodeVersion === undefined ? 'Go version' : 'Node version',
          details.NodeVersion ?? details.GoVersion ?? '',
        ),
        field(2, 'Git commit', details.GitCommit ?? ''),
        field(2, 'Built', details.BuildTime ?? ''),
        field(2, 'OS/Arch', `${details.Os}/${details.Arch}`),
        field(2, 'Experimental', details.Experimental ?? 'false'),
      );
      continue;
    }
    for (const [name, value] of Object.entries(details).sort()) lines.push(field(2, name, value));
  }
  return lines;
}

function field(indent: number, name: string, value: string): string {
  return `${' '.repeat(indent)}${name}:`.padEnd(20) + value;
}
