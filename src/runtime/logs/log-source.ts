import { EngineError } from '../../stdx/errors.ts';
import { GoRegexp } from '../../stdx/go-regexp/go-regexp.ts';
import { PatternError } from '../../stdx/go-regexp/parse.ts';
import { Template } from '../../stdx/template/template.ts';
import { TemplateError } from '../../stdx/template/template-error.ts';
import { goType, type TemplateStruct } from '../../stdx/template/values.ts';

/** What log drivers may say about the container a line comes from. A plain value: it is sent to the worker. */
export interface LogSource {
  id: string;
  /** Without the leading slash. */
  name: string;
  /** With `sha256:`. */
  imageId: string;
  /** As the user named it. */
  imageName: string;
  entrypoint: string;
  args: string[];
  createdAtMs: number;
  env: string[];
  labels: Record<string, string>;
  hostName: string;
  daemonName: string;
}

export type LogOptions = Readonly<Record<string, string>>;

/** Options by which a user picks labels and variables that go with each line. */
export const attributeOptions = ['labels', 'labels-regex', 'env', 'env-regex'] as const;

/**
 * The labels and variables picked by `labels`, `labels-regex`, `env` and `env-regex`, sorted by name; of two with the
 * same name a variable wins, as in Docker.
 * @param rename what a driver makes of names
 * @throws EngineError `invalid` for a bad expression
 */
export function extraAttributes(
  source: LogSource,
  options: LogOptions,
  rename: (name: string) => string = name => name,
): Record<string, string> {
  const found: Record<string, string> = {};
  const variables = Object.fromEntries(source.env.map(splitVariable));
  for (const [values, names, expression] of [
    [source.labels, options['labels'], options['labels-regex']],
    [variables, options['env'], options['env-regex']],
  ] as const) {
    const listed = names === undefined || names === '' ? [] : names.split(',');
    const pattern = expression === undefined || expression === '' ? undefined : parseExpression(expression);
    for (const [name, value] of Object.entries(values)) {
      if (listed.includes(name) || pattern?.fits(name) === true) found[rename(name)] = value;
    }
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function splitVariable(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** @throws EngineError `invalid`, in Go's words */
export function parseExpression(expression: string): GoRegexp {
  try {
    return new GoRegexp(expression);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new EngineError('invalid', `error parsing regexp: ${error.message}: \`${expression}\``, {
      cause: error,
    });
  }
}

/**
 * Fills the `tag` option in, a Go template over the container.
 * @param fallback what holds when the user gave none
 * @throws EngineError `invalid`
 */
export function expandTag(source: LogSource, options: LogOptions, fallback = '{{.ID}}'): string {
  const template = options['tag'] || fallback;
  try {
    return new Template(template).run(infoOf(source));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const message = error.message
      .replace(/^template: :/, 'template: log-tag:')
      .replace('executing "" at', 'executing "log-tag" at');
    throw new EngineError('invalid', message, { cause: error });
  }
}

/** Docker's logger.Info, as its documented tags use it. */
function infoOf(source: LogSource): TemplateStruct {
  const imageHex = source.imageId.replace(/^sha256:/, '');
  return {
    [goType]: '*logger.Info',
    Command: () => commandOf(source),
    DaemonName: source.daemonName,
    ExtraAttributes: () => ({}),
    FullID: () => source.id,
    Hostname: () => source.hostName,
    ID: () => source.id.slice(0, 12),
    ImageFullID: () => source.imageId,
    ImageID: () => imageHex.slice(0, 12),
    ImageName: () => source.imageName,
    Name: () => source.name,
    ContainerArgs: source.args,
    ContainerEntrypoint: source.entrypoint,
    ContainerEnv: source.env,
    ContainerID: source.id,
    ContainerImageID: source.imageId,
    ContainerImageName: source.imageName,
    ContainerLabels: source.labels,
    ContainerName: `/${source.name}`,
  };
}

export function commandOf(source: LogSource): string {
  return [source.entrypoint, ...source.args].join(' ');
}
