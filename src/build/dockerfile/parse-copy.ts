import { EngineError } from '../../stdx/errors.ts';
import { parseHeredocWord } from './heredoc.ts';
import type { CopyInstruction, CopySource } from './instructions.ts';
import type { InstructionText } from './parse-instruction.ts';
import { parseJsonForm, splitBare } from './words.ts';

/** COPY and ADD: flags, sources (paths, URLs, heredocs) and the destination. */
export function parseCopy({ name, rest, flags, line }: InstructionText): CopyInstruction {
  const kind = name as 'COPY' | 'ADD';
  const words = readWords(kind, rest);
  const common = {
    chown: flags.text('chown'),
    chmod: flags.text('chmod'),
    link: flags.boolean('link') ?? false,
    exclude: flags.texts('exclude'),
  };
  const own =
    kind === 'COPY'
      ? { from: readFrom(flags.text('from')), parents: flags.boolean('parents') ?? false }
      : {
          parents: false,
          checksum: flags.text('checksum'),
          unpack: flags.boolean('unpack'),
          keepGitDir: flags.boolean('keep-git-dir'),
        };
  const destination = words.pop()!;
  if (parseHeredocWord(destination) !== undefined)
    throw new EngineError('invalid', `${kind} cannot accept a heredoc as a destination`);
  return { kind, sources: readSources(words, line.heredocs), destination, ...common, ...own };
}

function readWords(kind: string, rest: string): string[] {
  const json = parseJsonForm(rest);
  if (json.form === 'notStrings') {
    const message = 'When using JSON array syntax, arrays must be comprised of strings only';
    throw new EngineError('invalid', message);
  }
  const words = json.form === 'json' ? json.values : splitBare(rest);
  if (words.length < 2) {
    const message = `${kind} requires at least two arguments, but only one was provided. Destination could not be determined.`;
    throw new EngineError('invalid', message);
  }
  return words;
}

function readSources(words: string[], heredocs: InstructionText['line']['heredocs']): CopySource[] {
  const left = [...heredocs];
  return words.map(path => {
    if (parseHeredocWord(path) === undefined || left.length === 0) return { type: 'path', path };
    return { type: 'heredoc', heredoc: left.shift()! };
  });
}

function readFrom(from: string | undefined): string | undefined {
  if (from === '') throw new EngineError('invalid', 'invalid from flag value "": empty stage name');
  if (from?.includes('$')) {
    const message = "'from' doesn't support variable expansion, define alias stage instead";
    throw new EngineError('invalid', message);
  }
  return from;
}
