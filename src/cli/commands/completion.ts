import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { type CommandEntry, commandTree, isGroup } from '../command-tree.ts';
import { declareFlags } from '../flags.ts';

export const command: Command = {
  usage: 'bash|zsh|fish',
  short: 'Print a shell completion script',
  flags: '',
  takes: exactly(1),
  async run({ session, args: [shell] }) {
    const script = Object.hasOwn(scripts, shell!) ? scripts[shell!] : undefined;
    if (script === undefined) {
      throw new EngineError(
        'invalid',
        `unknown shell "${shell}": want one of ${Object.keys(scripts).join(', ')}`,
      );
    }
    session.out.write(await script());
  },
};

const scripts: Record<string, () => Promise<string>> = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** zsh runs bash's completions when it is asked to. */
async function zshScript(): Promise<string> {
  return `# zsh completion for gantry: source <(gantry completion zsh)
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
${(await bashScript()).replace(/^#.*\n/, '')}`;
}

async function fishScript(): Promise<string> {
  const lines = ['# fish completion for gantry: gantry completion fish | source', 'complete -c gantry -f'];
  const add = async (path: string[], entry: CommandEntry, name: string) => {
    const before = path.map(word => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const condition = before === '' ? '__fish_use_subcommand' : before;
    lines.push(`complete -c gantry -n '${condition}' -a '${name}' -d ${fishQuoted(entry.short)}`);
    const within = [...path, name].map(word => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const { command } = await entry.load();
    for (const flag of declareFlags(command.flags).filter(({ hidden }) => !hidden)) {
      const short = flag.short === '' ? '' : ` -s ${flag.short}`;
      lines.push(`complete -c gantry -n '${within}'${short} -l ${flag.name}`);
    }
  };
  for (const [name, entry] of Object.entries(commandTree)) {
    if (!isGroup(entry)) {
      await add([], entry, name);
      continue;
    }
    lines.push(`complete -c gantry -n __fish_use_subcommand -a '${name}' -d ${fishQuoted(entry.short)}`);
    for (const [sub, command] of Object.entries(entry.commands)) {
      if (!command.hidden) await add([name], command, sub);
    }
  }
  const names = `(gantry ps -a --format '{{.Names}}' 2>/dev/null)`;
  const takers =
    'attach cp diff exec export inspect kill logs pause port rename restart rm start stats stop top unpause update wait';
  for (const seen of [takers, 'schedule; and __fish_seen_subcommand_from history resume']) {
    lines.push(`complete -c gantry -n '__fish_seen_subcommand_from ${seen}' -a ${fishQuoted(names)}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

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
    builder|container|context|image|network|schedule|secret|system|volume) [ "$COMP_CWORD" -gt 2 ] && key="$key \${COMP_WORDS[2]}" ;;
  esac
  case "$key" in
${cases.join('\n')}
  esac
  if [ "\${current#-}" = "$current" ]; then
    case "$key" in
      run|create|"container run"|"container create"|rmi|tag|push|save|history|image\\ *) words="$words $(gantry images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null)" ;;
      network\\ *) words="$words $(gantry network ls --format '{{.Name}}' 2>/dev/null)" ;;
      secret\\ *) words="$words $(gantry secret ls --format '{{.Name}}' 2>/dev/null)" ;;
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
