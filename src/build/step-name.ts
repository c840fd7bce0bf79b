import { expandKnown, expandWord } from './dockerfile/expand.ts';
import { parseHeredocWord } from './dockerfile/heredoc.ts';
import type { InstructionOf, RunInstruction } from './dockerfile/instructions.ts';
import { type BuildState, lookupIn } from './state.ts';

/**
 * A step that changes files as BuildKit shows it: its variables expanded, its instruction in capitals. Of a RUN only what
 * is set is expanded, as its shell knows more; a script in a heredoc is shown by its first line.
 */
export function shownStep(
  state: BuildState,
  instruction: InstructionOf<'RUN' | 'COPY' | 'ADD' | 'WORKDIR'>,
  escapeToken: string,
): string {
  return shownText(state, instruction, escapeToken).replace(/^\S+/, word => word.toUpperCase());
}

function shownText(
  state: BuildState,
  instruction: Parameters<typeof shownStep>[1],
  escapeToken: string,
): string {
  const lookup = lookupIn(state);
  try {
    return instruction.kind === 'RUN'
      ? expandKnown(`${instruction.text}${summaryOf(instruction)}`, lookup, escapeToken)
      : expandWord(instruction.text, lookup, escapeToken);
  } catch {
    // The step will say what is wrong with it.
    return instruction.text;
  }
}

function summaryOf({ command, heredocs }: RunInstruction): string {
  const [only, ...others] = heredocs;
  if (only === undefined || others.length > 0 || parseHeredocWord(command.args[0]!.trim()) === undefined)
    return '';
  const [first, ...rest] = only.content.trim().split('\n');
  return ` (${first}${rest.length > 0 ? '...' : ''})`;
}
