import { type Command, exactly } from '../../command.ts';
import { refuseInteraction } from '../../compose/dry-run.ts';
import { runOther } from '../../compose/run-other.ts';
import { containerOf } from '../../compose/service-containers.ts';
import { command as attachCommand } from '../attach.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE',
  short: "Attach local standard input, output, and error streams to a service's running container",
  aliases: 'compose attach',
  flags: `
      --detach-keys string  Override the key sequence for detaching from a container.
      --index int  index of the container if service has multiple replicas.
      --no-stdin  Do not attach STDIN
      --sig-proxy  Proxy all received signals to the process (default true)
`,
  takes: exactly(1),
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const [service = ''] = args;
    refuseInteraction(call, 'attach');
    const { id } = await containerOf(session, groupFlags, service, flags.integer('index'));
    const given = [
      ...(flags.changed('detach-keys') ? ['--detach-keys', flags.string('detach-keys')] : []),
      ...(flags.on('no-stdin') ? ['--no-stdin'] : []),
      `--sig-proxy=${flags.on('sig-proxy')}`,
    ];
    return runOther(session, 'attach', attachCommand, [...given, id]);
  },
};
