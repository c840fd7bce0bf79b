import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../src/cli/cli.ts';
import { Output } from '../../src/cli/output/output.ts';
import { runProgram } from '../support/run-program.ts';
import { type TemplateCases, templateCases } from './cases.ts';

/** What a client said about one template. */
export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Case {
  command: string;
  template: string;
}

export const cases: readonly Case[] = templateCases.flatMap(({ command, templates }: TemplateCases) =>
  templates.map(template => ({ command, template })),
);

export type Environment = Readonly<Record<string, string>>;

export async function askDocker({ command, template }: Case, env: Environment): Promise<Said> {
  const argv = ['docker', ...command.split(' '), '--format', template];
  const { code, stdout, stderr } = await runProgram(argv, { env, timeoutMs: 60_000 });
  return normalised({ code, stdout, stderr }, env);
}

/** Gantry's client, in this process: hundreds of templates would take minutes otherwise. */
export async function askGantry({ command, template }: Case, env: Environment): Promise<Said> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-template-'));
  const [out, err] = [join(folder, 'out'), join(folder, 'err')];
  const descriptors = [openSync(out, 'w'), openSync(err, 'w')];
  const terminal = { isTerminal: false, size: () => ({ rows: 24, columns: 80 }) };
  try {
    const code = await runCli([...command.split(' '), '--format', template], {
      env,
      homeDirectory: env['HOME']!,
      workingDirectory: folder,
      out: new Output(descriptors[0]!, terminal),
      err: new Output(descriptors[1]!, terminal),
      input: { isTerminal: false, stream: () => process.stdin, setRawMode: () => {}, setKeyMode: () => {} },
      build: { version: 'test', commit: 'test', builtAt: '' },
    });
    return normalised({ code, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }, env);
  } finally {
    descriptors.forEach(closeSync);
    rmSync(folder, { recursive: true });
  }
}

const relative = /\b(?:(?:About|Less than) an?|\d+) (?:second|minute|hour|day|week|month|year)s?\b/g;

/** Without what must differ: the program's name, the socket, and times that pass; columns are as wide as those. */
function normalised({ code, stdout, stderr }: Said, env: Environment): Said {
  const plain = (text: string) =>
    text
      .replaceAll(env['DOCKER_HOST']!, 'unix://SOCKET')
      .replace(relative, 'A WHILE')
      .replace(/ {3,}/g, '   ');
  return { code, stdout: plain(stdout), stderr: plain(stderr).replace(/\bgantry\b/g, 'docker') };
}
