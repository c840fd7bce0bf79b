import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LineSplitter } from '../../client/client.ts';
import type { Project } from '../../compose/project.ts';
import {
  type ProviderMetadata,
  providerArguments,
  readProviderMessage,
  withProvided,
} from '../../compose/provider.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import type { Progress } from './progress/progress.ts';

/** How long a program may take to say what options it knows. */
const metadataTimeoutMs = 30_000;

export interface ProviderOptions {
  /** Those asked for, each behind those it depends on. */
  services: readonly string[];
  environment: ReadonlyMap<string, string>;
  progress: Progress;
}

/**
 * Has the programs that services' `provider` name make what these need.
 * @returns the project, in which services that depend on them have the variables they say
 * @throws EngineError when a program is not there or fails
 */
export async function provide(
  session: Session,
  project: Project,
  options: ProviderOptions,
): Promise<Project> {
  let provided = project;
  for (const name of options.services.filter(service => project.services[service]?.provider !== undefined))
    provided = withProvided(provided, name, await runProvider(session, provided, name, 'up', options));
  return provided;
}

/** Has them take it away again. */
export async function takeBack(session: Session, project: Project, options: ProviderOptions): Promise<void> {
  for (const name of options.services.filter(service => project.services[service]?.provider !== undefined))
    await runProvider(session, project, name, 'down', options);
}

/** @returns the variables it says, `NAME=value` */
async function runProvider(
  session: Session,
  project: Project,
  name: string,
  command: 'up' | 'down',
  { environment, progress }: ProviderOptions,
): Promise<string[]> {
  const tell = (status: string, state: 'working' | 'done' | 'failed') =>
    progress.tell({ id: name, status, state });
  tell(command === 'up' ? 'Creating' : 'Removing', 'working');
  const variables: string[] = [];
  try {
    if (!session.dryRun) {
      const program = findProvider(session, project.services[name]!.provider!.type);
      const env = { ...session.env, ...Object.fromEntries(environment) };
      const args = providerArguments(project, name, command, metadataOf(program, env));
      await following(program, args, env, line => {
        const message = readProviderMessage(line);
        if (message === undefined)
          throw new EngineError('internal', `invalid response from provider of ${name}: ${line}`);
        if (message.type === 'error') throw new EngineError('internal', message.message);
        if (message.type === 'info') tell(message.message, 'working');
        if (message.type === 'setenv') variables.push(message.message);
      });
    }
  } catch (error) {
    tell('Error', 'failed');
    throw error;
  }
  tell(command === 'up' ? 'Created' : 'Removed', 'done');
  return variables;
}

/** A plugin of docker's client, or any program that is found by its name. */
function findProvider({ configDirectory, env }: Session, type: string): string {
  const plugins = [
    join(configDirectory, 'cli-plugins'),
    '/usr/local/lib/docker/cli-plugins',
    '/usr/local/libexec/docker/cli-plugins',
    '/usr/lib/docker/cli-plugins',
    '/usr/libexec/docker/cli-plugins',
  ].map(directory => join(directory, `docker-${type}`));
  const programs = (env['PATH'] ?? '').split(delimiter).map(directory => join(directory, type));
  const found = type.includes('/') ? undefined : [...plugins, ...programs].find(isProgram);
  if (found !== undefined) return found;
  throw new EngineError('notFound', `exec: ${JSON.stringify(type)}: executable file not found in $PATH`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns undefined when it does not say */
function metadataOf(program: string, env: NodeJS.ProcessEnv): ProviderMetadata | undefined {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const text = execFileSync(program, ['compose', 'metadata'], {
      env,
      encoding: 'utf8',
      stdio,
      timeout: metadataTimeoutMs,
    });
    return JSON.parse(text) as ProviderMetadata;
  } catch {
    return undefined;
  }
}

/** Runs a program to its end. @throws what `onLine` throws, and EngineError for a status that is not 0 */
function following(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const lines = new LineSplitter(line => {
      if (failure !== undefined || line.trim() === '') return;
      try {
        onLine(line);
      } catch (error) {
        failure = error;
      }
    });
    child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      lines.end();
      if (failure !== undefined) reject(failure);
      else if (code === 0) resolve();
      else reject(new EngineError('internal', `${program} ended with ${signal ?? `exit status ${code}`}`));
    });
  });
}
