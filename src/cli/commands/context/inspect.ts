import { anyArguments, type Command } from '../../command.ts';
import { ContextStore } from '../../config/context-store.ts';
import { inspectAll, inspectFormatFlag } from '../../output/inspection.ts';

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
    await inspectAll(session, names, flags.string('format'), async name => {
      if (name === 'default') {
        const docker = { Host: session.defaultAddress(), SkipTLSVerify: false };
        return {
          Name: name,
          Metadata: {},
          Endpoints: { docker },
          TLSMaterial: {},
          Storage: { MetadataPath: '<IN MEMORY>', TLSPath: '<IN MEMORY>' },
        };
      }
      const tls = store.tls(name);
      const files = (['ca', 'cert', 'key'] as const)
        .filter(kind => tls?.[kind] !== undefined)
        .map(kind => `${kind}.pem`);
      return {
        ...store.get(name),
        TLSMaterial: files.length === 0 ? {} : { docker: files },
        Storage: { MetadataPath: store.metadataPath(name), TLSPath: store.tlsPath(name) },
      };
    });
  },
};
