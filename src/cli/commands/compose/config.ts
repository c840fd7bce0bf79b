import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Loaded, LoadOptions } from '../../../compose/load/load.ts';
import { type Variable, variablesIn } from '../../../compose/load/variables.ts';
import { imageReference } from '../../../compose/names.ts';
import { serviceHash } from '../../../compose/print/hash.ts';
import { toGoJson } from '../../../compose/print/json.ts';
import { printedModel, printedProject } from '../../../compose/print/ordered.ts';
import { toYaml } from '../../../compose/print/yaml.ts';
import type { Project } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { UsageError } from '../../errors.ts';
import type { FlagValues } from '../../flags.ts';
import type { Session } from '../../session.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Parse, resolve and render compose file in canonical format',
  aliases: 'compose config, compose convert',
  flags: `
      --environment  Print environment used for interpolation.
      --format string  Format the output. Values: [yaml | json] (default "yaml")
      --hash string  Print the service config hash, one per line.
      --images  Print the image names, one per line.
      --lock-image-digests  Produces an override file with image digests
      --models  Print the model names, one per line.
      --networks  Print the network names, one per line.
      --no-consistency  Don't check model consistency - warning: may produce invalid Compose output
      --no-env-resolution  Don't resolve service env files
      --no-interpolate  Don't interpolate environment variables
      --no-normalize  Don't normalize compose model
      --no-path-resolution  Don't resolve file paths
  -o, --output string  Save to file (default to stdout)
      --profiles  Print the profile names, one per line.
  -q, --quiet  Only validate the configuration, don't print anything
      --resolve-image-digests  Pin image tags to digests
      --services  Print the service names, one per line.
      --variables  Print model variables and default values.
      --volumes  Print the volume names, one per line.
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const format = flags.string('format');
    if (format !== 'yaml' && format !== 'json')
      throw new UsageError(`unsupported format ${JSON.stringify(format)}`);
    const loaded = loadNamedProject(session, groupFlags, loadOptions(flags, args));
    const named = restricted(loaded.project, args);
    const project = printsModel(flags) ? await pinned(session, named, flags) : named;
    const text = rendered({ ...loaded, project }, flags);
    const file = flags.given('output');
    if (file === undefined) session.out.write(text);
    else writeFileSync(resolve(session.surroundings.workingDirectory, file), text);
  },
};

/** Not only names, hashes or variables. */
function printsModel(flags: FlagValues): boolean {
  const lists = [
    'environment',
    'variables',
    'services',
    'volumes',
    'networks',
    'models',
    'images',
    'profiles',
  ];
  return !flags.changed('hash') && !lists.some(name => flags.on(name));
}

async function pinned(session: Session, project: Project, flags: FlagValues): Promise<Project> {
  const locks = flags.on('lock-image-digests');
  if (!locks && !flags.on('resolve-image-digests')) return project;
  const { withDigests, imagesAlone } = await import('../../compose/pinned-images.ts');
  const complete = await withDigests(session, project);
  return locks ? imagesAlone(complete) : complete;
}

function loadOptions(flags: FlagValues, services: readonly string[]): Partial<LoadOptions> {
  if (flags.on('variables'))
    return {
      interpolates: false,
      normalises: false,
      checksConsistency: false,
      readsEnvFiles: false,
      readsLabelFiles: false,
      services,
    };
  return {
    interpolates: !flags.on('no-interpolate'),
    resolvesPaths: !flags.on('no-path-resolution'),
    normalises: !flags.on('no-normalize'),
    checksConsistency: !flags.on('no-consistency'),
    // The hash is that of the service as it is written.
    readsEnvFiles: !flags.on('no-env-resolution') && !flags.changed('hash'),
    readsLabelFiles: !flags.on('no-env-resolution'),
    keepsLabelFiles: false,
    services,
  };
}

/** The named services and those they need. */
function restricted(project: Project, names: readonly string[]): Project {
  if (names.length === 0) return project;
  const wanted = new Set<string>();
  const want = (name: string) => {
    const service = project.services[name];
    if (service === undefined) throw new EngineError('notFound', `no such service: ${name}`);
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const [other, { required }] of Object.entries(service.depends_on ?? {}))
      if (required || project.services[other] !== undefined) want(other);
  };
  names.forEach(want);
  const services = Object.entries(project.services).filter(([name]) => wanted.has(name));
  return { ...project, services: Object.fromEntries(services) };
}

function rendered({ project, disabled, sources }: Loaded, flags: FlagValues): string {
  if (flags.on('environment'))
    return lines([...sources.environment].map(([name, value]) => `${name}=${value}`).sort());
  if (flags.on('variables')) return variables(variablesIn(project), flags.given('format'));
  if (flags.on('services')) return lines(dependenciesFirst(project));
  if (flags.on('volumes')) return lines(Object.keys(project.volumes ?? {}).sort());
  if (flags.on('networks')) return lines(Object.keys(project.networks ?? {}).sort());
  if (flags.on('models')) return lines(Object.keys(project.models ?? {}).sort());
  if (flags.on('images'))
    return lines(Object.keys(project.services).map(name => imageReference(project, name)));
  if (flags.on('profiles')) {
    const all = [...Object.values(project.services), ...Object.values(disabled)];
    return lines([...new Set(all.flatMap(({ profiles = [] }) => profiles))].sort());
  }
  if (flags.string('hash') !== '') return hashes(project, flags.string('hash'));
  if (flags.on('quiet')) return '';
  const notation = flags.string('format') === 'json' ? 'json' : 'yaml';
  const inNotation = (value: unknown) => (notation === 'json' ? toGoJson(value, 2) : toYaml(value));
  if (flags.on('no-interpolate')) return inNotation(printedModel(project, notation));
  // Read again, a dollar sign must not start a variable.
  return inNotation(printedProject(project, notation)).replaceAll('$', '$$$$');
}

function dependenciesFirst({ services }: Project): string[] {
  const ordered = new Set<string>();
  const visit = (name: string, above: readonly string[]) => {
    if (above.includes(name)) return;
    for (const other of Object.keys(services[name]?.depends_on ?? {}).sort())
      if (services[other] !== undefined) visit(other, [...above, name]);
    ordered.add(name);
  };
  for (const name of Object.keys(services).sort()) visit(name, []);
  return [...ordered];
}

function variables(of: readonly Variable[], format: string | undefined): string {
  if (format === 'json') {
    const entries = of.map(({ name, required, defaultValue, alternateValue }) => [
      name,
      { Name: name, DefaultValue: defaultValue, PresenceValue: alternateValue, Required: required },
    ]);
    return `${toGoJson(Object.fromEntries(entries), 4)}\n\n`;
  }
  if (format === 'yaml') {
    const blocks = of.map(({ name, required, defaultValue, alternateValue }) => {
      const fields = { name, defaultvalue: defaultValue, presencevalue: alternateValue, required };
      return `${toYaml([name]).slice(2, -1)}:\n${toYaml(fields).replace(/^(?=.)/gm, '    ')}`;
    });
    return blocks.join('');
  }
  const rows = of.map(({ name, required, defaultValue, alternateValue }) => [
    name,
    String(required),
    defaultValue,
    alternateValue,
  ]);
  const all = [['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'], ...rows];
  const widths = [0, 1, 2].map(at => Math.max(20, ...all.map(row => row[at]!.length + 3)));
  return lines(all.map(row => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('')));
}

function hashes(project: Project, wanted: string): string {
  const names = wanted === '*' ? Object.keys(project.services).sort() : wanted.split(',');
  return lines(
    names.map(name => {
      const service = project.services[name];
      if (service === undefined) throw new EngineError('notFound', `no such service: ${name}`);
      return `${name} ${serviceHash(service)}`;
    }),
  );
}

function lines(items: readonly string[]): string {
  return items.map(item => `${item}\n`).join('');
}
