import type { Command } from './command.ts';
import { type CommandGroup, commandTree, isGroup } from './command-tree.ts';
import { declareFlags, type Flag } from './flags.ts';
import { globalFlags } from './global-flags.ts';

const program = 'gantry';

export function commandHelp(path: string, command: Command, width: number): string {
  const sections = [`Usage:  ${usageLine(path, command)}`, command.short];
  if (command.aliases !== undefined) {
    const names = command.aliases.split(', ').map(name => `${program} ${name}`);
    sections.push(`Aliases:\n  ${names.join(', ')}`);
  }
  const flags = declareFlags(command.flags);
  if (flags.some(flag => !flag.hidden)) sections.push(`Options:\n${flagUsages(flags, width)}`);
  return `${sections.join('\n\n')}\n`;
}

export function usageLine(path: string, command: Command): string {
  return `${program} ${path} ${command.usage}`.trimEnd();
}

export function groupHelp(path: string, group: CommandGroup, width: number): string {
  const options =
    group.flags === undefined ? '' : `Options:\n${flagUsages(declareFlags(group.flags), width)}\n\n`;
  const usage =
    group.flags === undefined ? `${program} ${path} COMMAND` : `${program} ${path} [OPTIONS] COMMAND`;
  const entries = Object.entries(group.commands).filter(([, entry]) => !entry.hidden);
  return `Usage:  ${usage}\n\n${group.short}\n\n${options}Commands:\n${listing(entries)}\nRun '${program} ${path} COMMAND --help' for more information on a command.\n`;
}

const common = [
  'run',
  'exec',
  'ps',
  'build',
  'pull',
  'push',
  'images',
  'login',
  'logout',
  'search',
  'version',
  'info',
];
const ofTheHost = ['daemon', 'doctor', 'demo', 'setup', 'completion'];

export function rootHelp(width: number): string {
  const entries = Object.entries(commandTree).filter(([, entry]) => !entry.hidden);
  const named = (names: readonly string[]) => entries.filter(([name]) => names.includes(name));
  const byOrder = (names: readonly string[]) =>
    named(names).sort(([left], [right]) => names.indexOf(left) - names.indexOf(right));
  const groups = entries.filter(([, entry]) => isGroup(entry));
  const others = entries.filter(
    ([name, entry]) => !common.includes(name) && !ofTheHost.includes(name) && !isGroup(entry),
  );
  return `Usage:  ${program} [OPTIONS] COMMAND

A container platform that speaks Docker's API

Common Commands:
${listing(byOrder(common))}
Management Commands:
${listing(groups)}
Host Commands:
${listing(byOrder(ofTheHost))}
Commands:
${listing(others)}
Global Options:
${flagUsages(declareFlags(globalFlags), width)}

The daemon is looked for at --host, --context, GANTRY_HOST, DOCKER_HOST, DOCKER_CONTEXT, the current
context, and at last at unix:///run/gantry/gantry.sock.

Run '${program} COMMAND --help' for more information on a command.
`;
}

function listing(entries: readonly (readonly [string, { short: string }])[]): string {
  return entries.map(([name, entry]) => `  ${name.padEnd(11)} ${entry.short}\n`).join('');
}

/** The flags as pflag prints them, wrapped to the terminal. */
export function flagUsages(flags: readonly Flag[], width: number): string {
  const shown = flags.filter(flag => !flag.hidden).sort((left, right) => (left.name < right.name ? -1 : 1));
  const heads = shown.map(flag => {
    const short = flag.short === '' ? '    ' : `-${flag.short}, `;
    return `  ${short}--${flag.name}${flag.type === 'bool' ? '' : ` ${flag.type}`}`;
  });
  const indent = Math.max(...heads.map(head => head.length)) + 3;
  return shown.map((flag, at) => heads[at]!.padEnd(indent) + wrap(flag.usage, indent, width)).join('\n');
}

/** pflag's wrapping: words, a last one may stand over by five characters; the text's own line ends count. */
function wrap(text: string, indent: number, width: number): string {
  const shortest = 24;
  let room = width - indent;
  let wrapped = '';
  if (room < shortest) {
    indent = 16;
    room = width - indent;
    wrapped = `\n${' '.repeat(indent)}`;
  }
  const margin = `\n${' '.repeat(indent)}`;
  if (room < shortest) return text.replaceAll('\n', wrapped);
  const slop = 5;
  let [line, rest] = takeLine(text, room - slop, slop);
  wrapped += line.replaceAll('\n', margin);
  while (rest !== '') {
    [line, rest] = takeLine(rest, room - slop, slop);
    wrapped += margin + line.replaceAll('\n', margin);
  }
  return wrapped;
}

function takeLine(text: string, room: number, slop: number): [string, string] {
  if (room + slop > text.length) return [text, ''];
  const start = text.slice(0, room);
  const space = Math.max(start.lastIndexOf(' '), start.lastIndexOf('\t'), start.lastIndexOf('\n'));
  if (space <= 0) return [text, ''];
  const newline = start.lastIndexOf('\n');
  const cut = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, cut), text.slice(cut + 1)];
}
