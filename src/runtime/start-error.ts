import { EngineError, type ErrorKind } from '../stdx/errors.ts';

/**
 * The OCI runtime refused. `exitCode` is what the container's state and `docker run` then show: 127 when the program
 * (or a file to mount) is not there, 126 when it may not be executed, 125 otherwise.
 */
export class StartError extends EngineError {
  readonly exitCode: 125 | 126 | 127;

  constructor(kind: ErrorKind, exitCode: 125 | 126 | 127, message: string) {
    super(kind, message);
    this.exitCode = exitCode;
  }
}

/**
 * Reads what crun or runc wrote to standard error, and says it in runc's words, which Docker's clients look into to
 * choose their own exit code (moby, daemon/errors.go, setExitCodeFromError).
 * @param what `create` or `exec`; @param program args[0].
 */
export function classifyStartFailure(
  what: 'create' | 'exec',
  runtime: string,
  program: string,
  output: string,
): StartError {
  const reason = inRuncWords(output, program);
  const [exitCode, hint] = exitCodeOf(what, reason);
  const front =
    what === 'create'
      ? `failed to create task for container: failed to create shim task: OCI runtime create failed: ${runtime} create failed: `
      : 'OCI runtime exec failed: exec failed: ';
  const message = `${front}unable to start container process: ${reason}${hint}: unknown`;
  return new StartError(exitCode === 125 ? 'internal' : 'invalid', exitCode, message);
}

/** The reason alone, without prefixes of either runtime. */
export function inRuncWords(output: string, program: string): string {
  const text = lastMessage(output);
  const quoted = JSON.stringify(program);
  if (/^executable file `.*` not found in \$PATH/.test(text)) {
    return program.includes('/')
      ? `exec: ${quoted}: stat ${program}: no such file or directory`
      : `exec: ${quoted}: executable file not found in $PATH`;
  }
  if (text.startsWith('open executable: ')) {
    // runc passes over files in $PATH that may not be executed, so that there "none was found".
    return program.includes('/')
      ? `exec: ${quoted}: permission denied`
      : `exec: ${quoted}: executable file not found in $PATH`;
  }
  const directory = /^chdir `(.*)`: (.*)$/.exec(text);
  if (directory !== null) {
    return `chdir to cwd (${JSON.stringify(directory[1])}) set in config.json failed: ${directory[2]!.toLowerCase()}`;
  }
  return text === '' ? 'the OCI runtime gave no reason' : text;
}

function exitCodeOf(what: 'create' | 'exec', reason: string): [exitCode: 125 | 126 | 127, hint: string] {
  const text = reason.toLowerCase();
  // It is not the program that is missing.
  if (what === 'exec' && text.startsWith('chdir to cwd')) return [126, ''];
  if (text.includes('permission denied')) return [126, ''];
  if (text.includes('is a directory')) return [126, ': permission denied'];
  if (text.includes('not a directory')) {
    return [
      127,
      ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type',
    ];
  }
  if (text.includes('executable file not found') || text.includes('no such file or directory'))
    return [127, ''];
  return [125, ''];
}

/**
 * runc: `time="..." level=error msg="runc create failed: unable to start container process: exec: ..."`, one or more
 * lines of which the first says it. crun: plain lines, the last of which says it; warnings may come before.
 */
/** What the runtime said last that is no trace of its way down. */
export function lastMessage(output: string): string {
  const lines = output.trim().split('\n').filter(Boolean);
  const structured = lines.find(line => line.includes('level=error'));
  if (structured !== undefined) {
    const quoted = /msg=("(?:[^"\\]|\\.)*")/.exec(structured)?.[1];
    const text = quoted === undefined ? structured : (JSON.parse(quoted) as string);
    return text
      .replace(
        /^(runc|container_linux\.go:\d+:?) ?(create failed|run failed|starting container process caused): /,
        '',
      )
      .replace(/^exec failed: /, '')
      .replace(/^unable to start container process: /, '');
  }
  return lines.at(-1) ?? '';
}
