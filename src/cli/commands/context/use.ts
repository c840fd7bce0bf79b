import { type Command, exactly } from '../../command.ts';
import { saveConfig } from '../../config/config-file.ts';
import { ContextStore } from '../../config/context-store.ts';

export const command: Command = {
  usage: 'CONTEXT',
  short: 'Set the current context',
  flags: '',
  takes: exactly(1),
  async run({ session, args: [name = ''] }) {
    const { currentContext: _, ...config } = session.config();
    if (name !== 'default') new ContextStore(session.configDirectory).get(name);
    saveConfig(session.configDirectory, name === 'default' ? config : { ...config, currentContext: name });
    session.out.line(name);
    session.err.line(`Current context is now "${name}"`);
    if (name !== 'default' && (session.env['GANTRY_HOST'] || session.env['DOCKER_HOST'])) {
      session.err.line(
        `Warning: DOCKER_HOST environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset DOCKER_HOST environment variable.`,
      );
    }
  },
};
