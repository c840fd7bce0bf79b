import { EngineError } from '../stdx/errors.ts';
import type { Project } from './project.ts';

/** What a provider's `metadata` says of its commands: the options that each knows. */
export interface ProviderMetadata {
  up?: ProviderCommand;
  down?: ProviderCommand;
}

interface ProviderCommand {
  parameters?: { name: string; required?: boolean }[] | null;
}

/** One line of what a provider says while it works. */
export interface ProviderMessage {
  type: 'info' | 'error' | 'debug' | 'setenv';
  message: string;
}

/**
 * The arguments a provider's program is run with: options that it does not know are left out, unless it does not say
 * which it knows.
 * @throws EngineError for one that it needs
 */
export function providerArguments(
  project: Project,
  service: string,
  command: 'up' | 'down',
  metadata: ProviderMetadata | undefined,
): string[] {
  const { type, options = {} } = project.services[service]!.provider!;
  const known = metadata?.[command]?.parameters ?? [];
  const missing = known.find(({ name, required }) => required && options[name] === undefined);
  if (missing !== undefined)
    throw new EngineError(
      'invalid',
      `required parameter ${JSON.stringify(missing.name)} is missing from provider ${JSON.stringify(type)} definition`,
    );
  const isKnown = (option: string) => metadata === undefined || known.some(({ name }) => name === option);
  const given = Object.entries(options)
    .filter(([option]) => isKnown(option))
    .flatMap(([option, values]) => values.map(value => `--${option}=${value}`));
  return ['compose', `--project-name=${project.name}`, command, ...given, service];
}

/** @returns undefined for a line that is no message */
export function readProviderMessage(line: string): ProviderMessage | undefined {
  try {
    const { type, message } = JSON.parse(line) as Partial<ProviderMessage>;
    const isKnown = type === 'info' || type === 'error' || type === 'debug' || type === 'setenv';
    return isKnown && typeof message === 'string' ? { type, message } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The services that need what a provider gives, with its variables: each is named after the provider's service.
 * @param variables `NAME=value`
 */
export function withProvided(project: Project, provider: string, variables: readonly string[]): Project {
  const given = Object.fromEntries(
    variables.map(text => {
      const equals = text.indexOf('=');
      const [name, value] = equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
      return [`${provider.toUpperCase()}_${name}`, value];
    }),
  );
  const services = Object.entries(project.services).map(([name, service]) => {
    if (!(provider in (service.depends_on ?? {}))) return [name, service] as const;
    return [name, { ...service, environment: { ...service.environment, ...given } }] as const;
  });
  return { ...project, services: Object.fromEntries(services) };
}
