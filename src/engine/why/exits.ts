import type { Evidence, ScheduleEvidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { endedForWantOfMemory } from './memory.ts';
import { linesLike, quoteLines, showCommand, showDuration } from './text.ts';

/** Less than this is "at once". */
const atOnceMs = 10_000;

/** Why the first process is not there. */
export function diagnoseExit(evidence: Evidence): Finding[] {
  if (evidence.status === 'paused') return [paused(evidence)];
  if (isBetweenRuns(evidence)) return [waitsForSchedule(evidence, evidence.schedule)];
  if (evidence.status === 'created' && evidence.error === '') return [neverStarted(evidence)];
  if (!hasEnded(evidence) || endedForWantOfMemory(evidence)) return [];
  const { exitCode, manuallyStopped, status } = evidence;
  if (manuallyStopped && status === 'exited') return [stopped(evidence)];
  const cause = causes.find(({ applies }) => applies(evidence));
  const { title, mend, also = [] } = cause?.explain(evidence) ?? otherwise(evidence);
  const severity = exitCode === 0 && !restarts(evidence) && !endsAtOnce(evidence) ? 'note' : 'problem';
  return [{ check: 'exit', severity, title, evidence: [...ending(evidence), ...also], mend }];
}

interface Explanation {
  title: string;
  mend: string[];
  also?: string[];
}

/** The first that applies is told. */
const causes: { applies(evidence: Evidence): boolean; explain(evidence: Evidence): Explanation }[] = [
  { applies: isNotFound, explain: notFound },
  { applies: isNotExecutable, explain: notExecutable },
  { applies: isOtherArchitecture, explain: otherArchitecture },
  { applies: evidence => evidence.error !== '', explain: notStarted },
  { applies: evidence => missingVariables(evidence).length > 0, explain: variableMissing },
  { applies: evidence => portInUse(evidence).length > 0, explain: portTaken },
  { applies: isIdleShell, explain: idleShell },
  { applies: evidence => evidence.exitCode === 0, explain: nothingInForeground },
  { applies: ({ exitCode }) => exitCode === 137, explain: killed },
  { applies: ({ exitCode }) => exitCode === 139, explain: crashed },
];

function hasEnded({ status, error, exitCode }: Evidence): boolean {
  // A start that failed leaves it as it was made.
  if (status === 'created') return error !== '' || exitCode !== 0;
  return status === 'exited' || status === 'restarting' || status === 'dead';
}

function ending(evidence: Evidence): string[] {
  const { exitCode, error, startedAtMs, finishedAtMs, lastLines, restartCount, status } = evidence;
  // The end can be noticed before the start is written down.
  const ranForMs = Math.max(0, finishedAtMs - startedAtMs);
  const ran = startedAtMs === 0 ? '' : `, ${showDuration(ranForMs)} after its start`;
  const lines = [`command: ${showCommand(evidence.command)}`];
  if (error === '') lines.push(`it ended with exit code ${exitCode}${ran}`);
  else lines.push(`it did not start: ${error}`);
  if (restartCount > 0 || status === 'restarting')
    lines.push(`its restart policy has started it ${restartCount} times again`);
  if (error !== '') return lines;
  if (lastLines.length === 0) return [...lines, 'it wrote nothing'];
  return [...lines, 'the last it wrote:', ...quoteLines(lastLines)];
}

function endsAtOnce({ startedAtMs, finishedAtMs }: Evidence): boolean {
  return finishedAtMs - startedAtMs < atOnceMs;
}

function restarts({ restartCount, status }: Evidence): boolean {
  return restartCount > 0 || status === 'restarting';
}

function paused({ name }: Evidence): Finding {
  return {
    check: 'exit',
    severity: 'problem',
    title: 'It is paused: its processes stand still.',
    evidence: ['its cgroup is frozen'],
    mend: [`gantry unpause ${name}`],
  };
}

/** Nothing is wrong about a scheduled container that does not run: unless its last run failed. */
function isBetweenRuns(evidence: Evidence): evidence is Evidence & { schedule: ScheduleEvidence } {
  const { schedule, status, error, exitCode, manuallyStopped } = evidence;
  if (schedule === undefined || error !== '') return false;
  return status === 'created' || (status === 'exited' && (exitCode === 0 || manuallyStopped));
}

function waitsForSchedule({ name }: Evidence, { cron, paused, nextMs }: ScheduleEvidence): Finding {
  return {
    check: 'exit',
    severity: 'note',
    title: paused ? 'Its schedule is paused.' : 'It waits for its schedule.',
    evidence: [
      `schedule: ${cron}`,
      ...(nextMs === undefined ? [] : [`it is due next at ${new Date(nextMs).toISOString()}`]),
    ],
    mend: [
      ...(paused ? [`gantry schedule resume ${name}`] : []),
      `gantry schedule run ${name}    # starts it now`,
    ],
  };
}

function neverStarted({ name }: Evidence): Finding {
  return {
    check: 'exit',
    severity: 'note',
    title: 'It was never started.',
    evidence: ['it was created, and that is all'],
    mend: [`gantry start ${name}`],
  };
}

function stopped(evidence: Evidence): Finding {
  return {
    check: 'exit',
    severity: 'note',
    title: 'It was stopped by its user.',
    evidence: [`it ended with exit code ${evidence.exitCode}`],
    mend: [`gantry start ${evidence.name}`],
  };
}

/** What the shell says of a program it does not have, in all shells' words. */
const shellNotFound = /(?:^|: )(?:[\w.-]+): (?:command )?not found$/;

function isNotFound({ exitCode, error, lastLines }: Evidence): boolean {
  if (/executable file not found|no such file or directory/i.test(error)) return true;
  return (
    exitCode === 127 &&
    (error !== '' || lastLines.length === 0 || lastLines.some(line => shellNotFound.test(line)))
  );
}

function notFound({ name, image, command, lastLines }: Evidence): Explanation {
  const [line = ''] = linesLike(lastLines, shellNotFound, 1);
  const program = /([\w./-]+): (?:command )?not found$/.exec(line)?.[1] ?? command[0] ?? '';
  return {
    title: `The program ${program} is not in the image.`,
    mend: [
      `gantry update ${name} -- COMMAND [ARG...]    # with a program that is there`,
      `gantry run --rm --entrypoint ls ${image} /usr/local/bin /usr/bin /bin    # which are there`,
    ],
  };
}

function isNotExecutable({ exitCode, error }: Evidence): boolean {
  return exitCode === 126 || /permission denied|is a directory/i.test(error);
}

function notExecutable({ name, command }: Evidence): Explanation {
  return {
    title: `The program ${command[0]} cannot be executed.`,
    mend: [
      `gantry cp ${name}:${command[0]} - | tar -tv    # look at its mode; chmod +x it where it comes from`,
    ],
  };
}

function isOtherArchitecture({ error, lastLines }: Evidence): boolean {
  return /exec format error/i.test(error) || lastLines.some(line => /exec format error/i.test(line));
}

function otherArchitecture({ image }: Evidence): Explanation {
  return {
    title: 'The program is for another kind of machine, or a script without a #! line.',
    mend: [
      `gantry image inspect --format '{{.Architecture}}' ${image}`,
      `gantry pull --platform linux/amd64 ${image}`,
    ],
  };
}

function notStarted({ name, error }: Evidence): Explanation {
  if (/port is already allocated|address already in use/i.test(error)) {
    const port = /:(\d+)(?: failed|: bind)/.exec(error)?.[1] ?? 'PORT';
    return {
      title: `Port ${port} of the host is taken.`,
      mend: [
        `gantry ps --filter publish=${port}    # by a container?`,
        `ss -lptn 'sport = :${port}'    # by a process of the host?`,
        `gantry update --unpublish CONTAINER_PORT -p OTHER:CONTAINER_PORT ${name}`,
      ],
    };
  }
  const secret = /^secret not found: (.+)$/.exec(error)?.[1];
  if (secret !== undefined) {
    return {
      title: `The secret ${secret} does not exist.`,
      mend: [`gantry secret create ${secret} FILE`, `gantry start ${name}`],
    };
  }
  return { title: 'It could not be started.', mend: [`gantry start ${name}    # when its cause is mended`] };
}

/** How programs ask for a variable. */
const variablePatterns = [
  /\b([A-Z][A-Z0-9_]{2,}): (?:parameter not set|unbound variable|parameter null or not set)/,
  /environment variable [`'"]?([A-Z][A-Z0-9_]+)[`'"]? (?:is |must be |was )?(?:not |un)?(?:set|defined|found|missing|required)/i,
  /(?:missing|required|undefined|set|specify)(?: the)?(?: required)? (?:environment|env) ?var(?:iable)?s?:? [`'"]?([A-Z][A-Z0-9_]+)/i,
  /\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b[`'"]? (?:is |must be |env(?:ironment)? var(?:iable)? )?(?:is |must be )?(?:not set|required|missing|unset|undefined|set)\b/,
  /(?:you (?:must|need to) (?:specify|set|define)|please set)[^A-Z]*([A-Z][A-Z0-9_]{2,})/i,
];

function missingVariables({ lastLines, exitCode }: Evidence): string[] {
  if (exitCode === 0) return [];
  const found = lastLines.flatMap(line => variablePatterns.flatMap(pattern => pattern.exec(line)?.[1] ?? []));
  return [...new Set(found)];
}

function variableMissing(evidence: Evidence): Explanation {
  const names = missingVariables(evidence);
  return {
    title: `It wants the environment variable${names.length > 1 ? 's' : ''} ${names.join(', ')}.`,
    mend: [
      `gantry update ${names.map(name => `-e ${name}=VALUE`).join(' ')} ${evidence.name}`,
      `gantry start ${evidence.name}`,
    ],
  };
}

function portInUse({ lastLines, exitCode }: Evidence): string[] {
  return exitCode === 0 ? [] : linesLike(lastLines, /address (?:already )?in use|EADDRINUSE/i);
}

function portTaken({ network, name }: Evidence): Explanation {
  const shares = network.mode === 'host' || network.mode === 'container';
  return {
    title: 'The port it wants to listen on is taken.',
    mend: shares
      ? [
          `it shares the network of ${network.mode === 'host' ? 'the host' : 'another container'}: give it a port that is free there`,
        ]
      : [`gantry update ${name} -- COMMAND [ARG...]    # two programs in it want the same port`],
  };
}

const shells = /(?:^|\/)(?:ba|da|a|z|k)?sh$/;

function isIdleShell({ command, exitCode, openStdin }: Evidence): boolean {
  return exitCode === 0 && command.length === 1 && shells.test(command[0]!) && !openStdin;
}

function idleShell({ name, image, command }: Evidence): Explanation {
  return {
    title: 'Its command is a shell that nobody talks to: it reads the end of its input and ends.',
    mend: [
      `gantry run -it ${image} ${command[0]}    # to talk to it`,
      `gantry update ${name} -- COMMAND [ARG...]    # to run something that stays`,
    ],
  };
}

function nothingInForeground({ name }: Evidence): Explanation {
  return {
    title: 'Its first process ended, and with it everything the process left in the background.',
    also: [
      'exit code 0 says that the process found nothing wrong: it had done its work, or went into the background',
    ],
    mend: [
      `gantry update ${name} -- COMMAND [ARG...]    # the program in the foreground: nginx -g 'daemon off;', httpd -f ...`,
    ],
  };
}

function killed({ name }: Evidence): Explanation {
  return {
    title: 'Somebody killed it with SIGKILL; it was not the kernel for want of memory.',
    mend: [`gantry events --since 1h --until 0s --filter container=${name} --filter event=kill`],
  };
}

function crashed({ name }: Evidence): Explanation {
  return { title: 'It crashed: SIGSEGV.', mend: [`gantry logs --tail 50 ${name}`] };
}

function otherwise({ name, exitCode }: Evidence): Explanation {
  const signal = exitCode > 128 && exitCode < 160 ? `: signal ${exitCode - 128} ended it` : '';
  return { title: `It ended with exit code ${exitCode}${signal}.`, mend: [`gantry logs --tail 50 ${name}`] };
}
