import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { commandTree, isGroup } from '../command-tree.ts';
import { declareFlags } from '../flags.ts';

export const command: Command = {
  usage: 'bash',
  short: 'Print a shell completion script',
  flags: '',
  takes: exactly(1),
  async run({ session, args: [shell] }) {
    if (shell !== 'bash')
      throw new EngineError('notImplemented', `completion for ${shell} is not supported: bash is`);
    session.out.write(await bashScript());
  },
};

/** Completes commands and flags from a table; container, image, network and volume names by asking the daemon. */
async function bashScript(): Promise<string> {
  const cases: string[] = [];
  for (const [name, entry] of Object.entries(commandTree)) {
    if (isGroup(entry)) {
      const shown = Object.entries(entry.commands).filter(([, command]) => !command.hidden);
      cases.push(`    "${name}") words="${shown.map(([sub]) => sub).join(' ')}" ;;`);
      for (const [sub, command] of shown) cases.push(await flagsCase(`${name} ${sub}`, command.load));
    } else cases.push(await flagsCase(name, entry.load));
  }
  return `# bash completion for gantry: eval "$(gantry completion bash)"
_gantry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="" key="\${COMP_WORDS[1]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${Object.keys(commandTree).join(' ')}" -- "$current"))
    return
  fi
  case "$key" in
    builder|container|context|image|network|system|volume) [ "$COMP_CWORD" -gt 2 ] && key="$key \${COMP_WORDS[2]}" ;;
  esac
  case "$key" in
${cases.join('\n')}
  esac
  if [ "\${current#-}" = "$current" ]; then
    case "$key" in
      run|create|"container run"|"container create"|rmi|tag|push|save|history|image\\ *) words="$words $(gantry images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null)" ;;
      network\\ *) words="$words $(gantry network ls --format '{{.Name}}' 2>/dev/null)" ;;
      volume\\ *) words="$words $(gantry volume ls --format '{{.Name}}' 2>/dev/null)" ;;
      *) words="$words $(gantry ps -a --format '{{.Names}}' 2>/dev/null)" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _gantry gantry
`;
}

async function flagsCase(path: string, load: () => Promise<{ command: Command }>): Promise<string> {
  const { command } = await load();
  const words = declareFlags(command.flags)
    .filter(flag => !flag.hidden)
    .flatMap(flag => (flag.short === '' ? [`--${flag.name}`] : [`-${flag.short}`, `--${flag.name}`]));
  return `    "${path}") words="${words.join(' ')}" ;;`;
}
