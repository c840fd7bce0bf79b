import { anyArguments, type Command } from '../../command.ts';
import { bringUp } from '../../compose/bring-up.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import { upFlags } from '../../compose/up-options.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Creates containers for a service',
  flags: `
${upFlags}
      --build  Build images before starting containers
      --no-build  Don't build an image, even if it's policy
      --pull string  Pull image before running ("always"|"missing"|"never"|"build")
      --quiet-build  Suppress the build output
      --quiet-pull  Pull without printing progress information
  -t, --timeout int  Seconds until a container that is replaced is killed
`,
  takes: anyArguments,
  async run(call) {
    const progress = openProgress(call);
    try {
      await bringUp(call, false, { progress });
    } finally {
      progress.end();
    }
  },
};
