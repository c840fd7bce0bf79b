import { anyArguments, type Command } from '../../command.ts';
import { type ContextMetadata, ContextStore } from '../../config/context-store.ts';
import { dockerTypes } from '../../output/docker-types.ts';
import { type Inspected, inspectAll, inspectFormatFlag } from '../../output/inspection.ts';

export const command: Command = {
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  short: 'Display detailed information on one or more contexts',
  flags: `
${inspectFormatFlag}
`,
  takes: anyArguments,
  async run({ session, flags, args }) {
    const store = new ContextStore(session.configDirectory);
    const names = args.length > 0 ? args : [session.contextName()];
    const inspected = ({
      Metadata,
      Endpoints,
      ...rest
    }: ContextMetadata & Record<string, unknown>): Inspected => ({
      type: 'context.contextWithTLSListing',
      own: true,
      json: {
        ...rest,
        Metadata: dockerTypes.decode('command.DockerContext', { ...Metadata, AdditionalFields: {} }),
        Endpoints: { docker: dockerTypes.decode('docker.EndpointMeta', Endpoints.docker) },
      },
    });
    await inspectAll(session, names, flags.string('format'), async name => {
      if (name === 'default') {
        return inspected({
          Name: name,
          Metadata: {},
          Endpoints: { docker: { Host: session.defaultAddress(), SkipTLSVerify: false } },
          TLSMaterial: {},
          Storage: { MetadataPath: '<IN MEMORY>', TLSPath: '<IN MEMORY>' },
        });
      }
      const tls = store.tls(name);
      const files = (['ca', 'cert', 'key'] as const)
        .filter(kind => tls?.[kind] !== undefined)
        .map(kind => `${kind}.pem`);
      return inspected({
        ...store.get(name),
        TLSMaterial: files.length === 0 ? {} : { docker: files },
        Storage: { MetadataPath: store.metadataPath(name), TLSPath: store.tlsPath(name) },
      });
    });
  },
};
