import { encodeFilters, perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { composeLabels } from '../../../compose/labels.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { listFormatFlag, printList } from '../../output/list.ts';
import { volumeLayout } from '../volume/ls.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'List volumes',
  flags: `
${listFormatFlag}
  -q, --quiet  Only display volume names
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { project } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const filters = encodeFilters(new Map([['label', [`${composeLabels.project}=${project.name}`]]]));
    const { Volumes } = await perform(await session.client(), volumeOperations.list, { query: { filters } });
    const used = new Set(
      args.flatMap(name =>
        (project.services[name]?.volumes ?? []).map(({ source = '' }) => project.volumes?.[source]?.name),
      ),
    );
    const shown = (Volumes ?? []).filter(({ Name }) => args.length === 0 || used.has(Name));
    printList(session.out, volumeLayout, shown, { format: flags.string('format'), quiet: flags.on('quiet') });
  },
};
