import { EngineError } from '../../../stdx/errors.ts';
import { atLeast, type Command } from '../../command.ts';
import { saveConfig } from '../../config/config-file.ts';
import { ContextStore } from '../../config/context-store.ts';
import { forEach } from '../../for-each.ts';

export const command: Command = {
  usage: 'CONTEXT [CONTEXT...]',
  short: 'Remove one or more contexts',
  aliases: 'context rm, context remove',
  flags: `
  -f, --force  Force the removal of a context in use
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const store = new ContextStore(session.configDirectory);
    await forEach(session, args, async name => {
      if (name === 'default') throw new EngineError('invalid', 'context "default" cannot be removed');
      const { currentContext, ...config } = session.config();
      if (currentContext === name) {
        if (!flags.on('force'))
          throw new EngineError('conflict', `context "${name}" is in use, set -f flag to force remove`);
        saveConfig(session.configDirectory, config);
      }
      store.remove(name);
    });
  },
};
