import { EngineError } from '../../stdx/errors.ts';
import type { Project, Service } from '../project.ts';
import { checkConsistency, type Locate } from './consistency.ts';
import { type Loading, loadLayers, readDocuments } from './layer.ts';
import { ComposeFileError, entryOf, mapping, type Node, placeAt, scalar, textOf, toPlain } from './node.ts';
import { normalise } from './normalise.ts';
import { type Selection, selectProfiles } from './profiles.ts';
import { withEnvFiles, withLabelFiles } from './service-files.ts';
import { nameOfDirectory, normaliseName, type Sources } from './sources.ts';

/** Phases that `config` can leave out. */
export interface LoadOptions {
  /** False: values stay as they are written, of all services, and nothing is read or checked that depends on them. */
  interpolates?: boolean;
  resolvesPaths?: boolean;
  normalises?: boolean;
  checksConsistency?: boolean;
  /** `env_file` */
  readsEnvFiles?: boolean;
  /** `label_file` */
  readsLabelFiles?: boolean;
  /** Files of labels stay named beside what they say: so services are hashed where containers are made. */
  keepsLabelFiles?: boolean;
  /** Services asked for by name; they are there whatever their profiles. */
  services?: readonly string[];
  homeDirectory: string;
  /** What `-f -` reads. */
  standardInput?: string;
  warn(message: string): void;
}

export interface Loaded extends Selection {
  sources: Sources;
}

/**
 * A project, from its files: read, interpolated, merged, normalised, checked.
 * @throws ComposeFileError with file, line, column and attribute; EngineError for what is no fault of a file
 */
export function loadProject(sources: Sources, options: LoadOptions): Loaded {
  if (sources.files.length === 0) {
    throw new EngineError('notFound', 'no configuration file provided: not found');
  }
  const warned = new Set<string>();
  const loading: Loading = {
    directory: sources.directory,
    resolvesPaths: options.resolvesPaths ?? true,
    interpolates: options.interpolates ?? true,
    homeDirectory: options.homeDirectory,
    environment: sources.environment,
    given: new Map(options.standardInput === undefined ? [] : [['-', options.standardInput]]),
    parsed: new Map(),
    warn(message) {
      if (!warned.has(message)) options.warn(message);
      warned.add(message);
    },
  };
  const name = projectName(sources, loading);
  loading.environment = new Map([...sources.environment, ['COMPOSE_PROJECT_NAME', name]]);
  const root = loadLayers(sources.files, loading, []);
  const merged = toPlain(withName(root, name)) as unknown as Project;
  merged.services ??= {};
  if (sources.compatibility) merged.separator = '_';
  const complete =
    (options.normalises ?? true)
      ? normalise(
          merged,
          loading.interpolates ? loading.environment : undefined,
          loading.resolvesPaths ? loading.directory : '.',
        )
      : merged;
  // What has variables in it cannot be judged.
  const profiles = loading.interpolates ? sources.profiles : ['*'];
  const selection = selectProfiles(complete, profiles, options.services);
  const locate: Locate = (...path) => placeAt(root, path);
  if (loading.interpolates && (options.checksConsistency ?? true)) checkConsistency(selection, locate);
  if (loading.interpolates) readServiceFiles(selection.project, loading, options, locate);
  return { ...selection, sources: { ...sources, environment: new Map(loading.environment), name } };
}

function readServiceFiles(
  project: Project,
  { environment, warn }: Loading,
  { readsEnvFiles = true, readsLabelFiles = true, keepsLabelFiles = false }: LoadOptions,
  locate: Locate,
): void {
  for (const name of Object.keys(project.services)) {
    const reading = (key: 'env_file' | 'label_file', read: (service: Service) => Service) => {
      try {
        project.services[name] = read(project.services[name]!);
      } catch (error) {
        throw new ComposeFileError(
          locate('services', name, key),
          `services.${name}.${key}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    };
    if (readsEnvFiles) reading('env_file', service => withEnvFiles(service, environment, warn));
    if (readsLabelFiles) reading('label_file', service => withLabelFiles(service, keepsLabelFiles));
  }
}

/** What flags or variables say; else the last file that has a `name`; else the directory's. */
function projectName(sources: Sources, loading: Loading): string {
  if (sources.name !== undefined) return sources.name;
  const quiet = { ...loading, warn: () => {} };
  const written = sources.files
    .flatMap(file => readDocuments(file, quiet))
    .map(node => entryOf(node, 'name'))
    .filter(node => textOf(node));
  const last = written.at(-1);
  const name = last === undefined ? nameOfDirectory(sources.directory) : normaliseName(textOf(last)!);
  if (name !== '') return name;
  throw new EngineError('invalid', 'project name must not be empty: say one with -p');
}

function withName(root: Node, name: string): Node {
  if (root.kind !== 'mapping') return root;
  return mapping(
    new Map([['name', scalar(name, root)], ...root.entries, ['name', scalar(name, root)]]),
    root,
  );
}
