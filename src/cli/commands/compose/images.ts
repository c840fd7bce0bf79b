import { perform } from '../../../client/operation.ts';
import { imageOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { anyArguments, type Command } from '../../command.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { UsageError } from '../../errors.ts';
import { alignColumns } from '../../output/table.ts';
import { humanSize } from '../../output/units.ts';
import { splitReference } from '../../references.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'List images used by the created containers',
  flags: `
      --format string  Format the output. Values: [table | json] (default "table")
  -q, --quiet  Only display IDs
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const format = flags.string('format');
    if (format !== 'table' && format !== 'json')
      throw new UsageError(`format value ${JSON.stringify(format)} could not be parsed`);
    const { containers } = await projectContainers(session, groupFlags, args);
    const client = await session.client();
    const rows = await Promise.all(
      containers.map(async ({ name, summary }) => {
        const image = await perform(client, imageOperations.inspect, { path: { name: summary.ImageID } });
        const { repository, tag = 'latest' } = splitReference(summary.Image);
        return {
          ID: image.Id,
          ContainerName: name,
          Repository: repository,
          Tag: tag,
          Platform: [image.Os, image.Architecture].join('/'),
          Size: image.Size,
          LastTagTime: image.Metadata.LastTagTime ?? image.Created ?? '',
        };
      }),
    );
    if (flags.on('quiet'))
      for (const id of new Set(rows.map(({ ID }) => ID))) session.out.line(id.replace('sha256:', ''));
    else if (format === 'json') session.out.line(JSON.stringify(rows));
    else {
      const cells = rows.map(row => [
        row.ContainerName,
        row.Repository,
        row.Tag,
        row.Platform,
        row.ID.replace('sha256:', '').slice(0, 12),
        humanSize(row.Size, 3),
        `${humanDuration(Date.now() - Date.parse(row.LastTagTime))} ago`,
      ]);
      session.out.write(
        alignColumns(
          [['CONTAINER', 'REPOSITORY', 'TAG', 'PLATFORM', 'IMAGE ID', 'SIZE', 'CREATED'], ...cells],
          { minWidth: 20 },
        ),
      );
    }
  },
};
