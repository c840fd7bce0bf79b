import { type Command, noArguments } from '../../command.ts';
import { type ContextMetadata, ContextStore } from '../../config/context-store.ts';
import { type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { naturalOrder } from '../../output/natural-order.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List contexts',
  aliases: 'context ls, context list',
  flags: `
${listFormatFlag}
  -q, --quiet  Only show context names
`,
  takes: noArguments,
  async run({ session, flags }) {
    const current = session.contextName();
    const initial: ContextMetadata = {
      Name: 'default',
      Metadata: { Description: 'Current DOCKER_HOST based configuration' },
      Endpoints: { docker: { Host: session.defaultAddress() } },
    };
    const contexts = [initial, ...new ContextStore(session.configDirectory).list()];
    contexts.sort((left, right) => naturalOrder(left.Name, right.Name));
    printList(session.out, layout(current), contexts, {
      format: flags.string('format'),
      quiet: flags.on('quiet'),
    });
    if (current === 'default' && (session.env['GANTRY_HOST'] || session.env['DOCKER_HOST'])) {
      session.err.line(
        'Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.',
      );
    }
  },
};

function layout(current: string): ListLayout<ContextMetadata> {
  return {
    typeName: '*formatter.clientContextContext',
    headers: {
      Name: 'NAME',
      Shown: 'NAME',
      Description: 'DESCRIPTION',
      DockerEndpoint: 'DOCKER ENDPOINT',
      Error: 'ERROR',
    },
    columns: ['Shown', 'Description', 'DockerEndpoint', 'Error'],
    quietField: 'Name',
    row: context => ({
      Name: context.Name,
      Current: context.Name === current,
      Description: context.Metadata.Description ?? '',
      DockerEndpoint: context.Endpoints.docker?.Host ?? '',
      Error: '',
      // A method with a parameter stays out of JSON; the table calls it all the same.
      Shown: (_unused?: unknown) => (context.Name === current ? `${context.Name} *` : context.Name),
    }),
  };
}
