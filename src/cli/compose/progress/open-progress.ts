import { EngineError } from '../../../stdx/errors.ts';
import type { Call } from '../../command.ts';
import { LineProgress, NoProgress } from './line-progress.ts';
import { LiveBlock } from './live-block.ts';
import type { Progress, ProgressMode } from './progress.ts';
import { TreeProgress } from './tree-progress.ts';

type Asked = Pick<Call, 'session' | 'groupFlags'>;

/**
 * What `--progress` and `--ansi` ask for; of themselves, a tree on a terminal and lines elsewhere.
 * @param title what is being done, for the head of the tree: `Running`
 * @param block where the tree is drawn, if something else is drawn there, too
 */
export function openProgress(
  call: Asked,
  title = 'Running',
  block = new LiveBlock(call.session.err),
): Progress {
  const { err, env, dryRun } = call.session;
  const mode = progressMode(call);
  switch (mode) {
    case 'tty':
      return new TreeProgress(block, dryRun ? `DRY-RUN MODE - ${title}` : title, {
        colour: !env['NO_COLOR'],
      });
    case 'quiet':
      return new NoProgress();
    default:
      return new LineProgress(err, mode, dryRun);
  }
}

/** @throws EngineError `invalid` for what does not go together */
export function progressMode({ session, groupFlags }: Asked): ProgressMode {
  const asked = groupFlags.given('progress') ?? session.env['COMPOSE_PROGRESS'] ?? '';
  const ansi = ansiMode({ session, groupFlags });
  const isTerminal = ansi === 'always' || (ansi === 'auto' && session.err.isTerminal);
  switch (asked) {
    case '':
    case 'auto':
      return isTerminal ? 'tty' : 'plain';
    case 'tty':
      if (ansi === 'never')
        throw new EngineError('invalid', "can't use --progress tty while ANSI support is disabled");
      return 'tty';
    case 'plain':
      if (ansi === 'always')
        throw new EngineError('invalid', "can't use --progress plain while ANSI support is forced");
      return 'plain';
    case 'json':
    case 'quiet':
      return asked;
    case 'none':
      return 'quiet';
    default:
      throw new EngineError('invalid', `unsupported --progress value ${JSON.stringify(asked)}`);
  }
}

/** Whether the lines of a command's own output are coloured. */
export function coloursOutput({ session, groupFlags, flags }: Asked & Pick<Call, 'flags'>): boolean {
  const ansi = ansiMode({ session, groupFlags });
  if (flags.on('no-color') || session.env['NO_COLOR'] || ansi === 'never') return false;
  return ansi === 'always' || session.out.isTerminal;
}

function ansiMode({ session, groupFlags }: Asked): 'never' | 'always' | 'auto' {
  const asked = groupFlags.given('ansi') ?? session.env['COMPOSE_ANSI'] ?? 'auto';
  if (asked === 'never' || asked === 'always' || asked === 'auto') return asked;
  throw new EngineError('invalid', `unsupported --ansi value ${JSON.stringify(asked)}`);
}
