import { EngineError } from '../../stdx/errors.ts';
import { readAttributes, splitFields } from './attributes.ts';
import { FlagFault } from './faults.ts';

/** One `--output`: what the daemon makes, and where this client puts it. */
export interface BuildOutput {
  /** Of the daemon's exporter. */
  exporter: { type: string; attributes: Record<string, string> };
  destination:
    | { type: 'daemon' }
    | { type: 'file'; path: string }
    | { type: 'stdout' }
    /** The archive is unpacked there. */
    | { type: 'directory'; path: string };
  /** Names are sent to their registries afterwards. */
  push: boolean;
}

/**
 * The outputs of a build, as buildx understands its flags.
 * @throws EngineError `invalid` in buildx's words
 */
export function planOutputs(flags: {
  outputs: readonly string[];
  load: boolean;
  push: boolean;
  tags: readonly string[];
  /** `KEY=VALUE`, with `manifest:` and the like before the key. */
  annotations: readonly string[];
  /** Standard output is a terminal, which no archive is written to. */
  stdoutIsTerminal: boolean;
}): BuildOutput[] {
  const outputs = flags.outputs.filter(text => text !== '').map(text => planOutput(text, flags));
  const images = outputs.filter(output => output.exporter.type === 'moby');
  if (flags.push) {
    for (const image of images) image.push = true;
    if (images.length === 0) outputs.push(imageOutput({}, true));
  }
  if (outputs.length === 0 || (flags.load && !outputs.some(isInDaemon))) outputs.push(imageOutput({}, false));
  const names = flags.tags.join(',');
  for (const { exporter, push } of outputs) {
    if (names !== '' && ['moby', 'oci', 'docker'].includes(exporter.type))
      exporter.attributes['name'] ??= names;
    if (push && exporter.attributes['name'] === undefined)
      throw new EngineError('invalid', 'tag is needed when pushing to registry');
    Object.assign(exporter.attributes, readAnnotations(flags.annotations));
  }
  if (outputs.filter(({ destination }) => destination.type === 'stdout').length > 1)
    throw new EngineError('invalid', 'multiple outputs configured to write to stdout');
  return outputs;
}

function isInDaemon({ destination }: BuildOutput): boolean {
  return destination.type === 'daemon';
}

/** The daemon's own store, under the name that dockerd has for it. */
function imageOutput(attributes: Record<string, string>, push: boolean): BuildOutput {
  return { exporter: { type: 'moby', attributes }, destination: { type: 'daemon' }, push };
}

function planOutput(text: string, { stdoutIsTerminal }: { stdoutIsTerminal: boolean }): BuildOutput {
  const fields = splitFields(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith('type=')) {
    return text === '-' ? toArchive('tar', {}, '-', stdoutIsTerminal) : toDirectory({}, text);
  }
  const { type = '', dest = '', ...attributes } = readAttributes(fields);
  switch (type) {
    case '':
      throw new FlagFault('type is required for output');
    case 'local':
      return toDirectory(attributes, dest);
    case 'registry':
      return imageOutput(attributes, true);
    case 'image':
    case 'moby': {
      const { push = 'false', ...rest } = attributes;
      return imageOutput(rest, /^(|1|t|true)$/i.test(push));
    }
    case 'docker':
      if (dest === '') return imageOutput(attributes, false);
      return toArchive(type, attributes, dest, stdoutIsTerminal);
    default:
      return toArchive(type, attributes, dest, stdoutIsTerminal);
  }
}

/** The daemon sends a tar, which is unpacked here. */
function toDirectory(attributes: Record<string, string>, path: string): BuildOutput {
  if (path === '') throw new EngineError('invalid', 'dest is required for local exporter');
  if (path === '-') throw new EngineError('invalid', 'dest cannot be stdout for local exporter');
  return { exporter: { type: 'tar', attributes }, destination: { type: 'directory', path }, push: false };
}

function toArchive(
  type: string,
  attributes: Record<string, string>,
  path: string,
  stdoutIsTerminal: boolean,
): BuildOutput {
  const { tar = 'true', ...rest } = attributes;
  const exporter = { type, attributes: rest };
  if (/^(0|f|false)$/i.test(tar)) {
    if (path === '' || path === '-')
      throw new EngineError('invalid', `dest is required for ${type} exporter`);
    return { exporter, destination: { type: 'directory', path }, push: false };
  }
  if (path !== '' && path !== '-') return { exporter, destination: { type: 'file', path }, push: false };
  if (stdoutIsTerminal) {
    const message = `dest file is required for ${type} exporter. refusing to write to console`;
    throw new EngineError('invalid', message);
  }
  return { exporter, destination: { type: 'stdout' }, push: false };
}

const annotationTypes = ['index', 'index-descriptor', 'manifest', 'manifest-descriptor'];

/** As attributes of an exporter: `annotation-manifest.KEY`. */
function readAnnotations(texts: readonly string[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const text of texts.filter(one => one !== '')) {
    const equals = text.indexOf('=');
    if (equals < 0) {
      throw new EngineError(
        'invalid',
        `parse annotations: invalid annotation ${JSON.stringify(text)}, expected key=value`,
      );
    }
    const [written, value] = [text.slice(0, equals), text.slice(equals + 1)];
    const colon = written.indexOf(':');
    const key = written.slice(colon + 1);
    for (const of of colon < 0 ? [''] : written.slice(0, colon).split(',')) {
      const match = /^([a-z-]+)?(\[[A-Za-z0-9_/-]+\])?$/.exec(of);
      if (match === null) {
        const wanted = 'expected type and optional platform in square brackets';
        throw new EngineError(
          'invalid',
          `parse annotations: invalid annotation type ${JSON.stringify(of)}, ${wanted}`,
        );
      }
      const [, type = '', platform = ''] = match;
      if (type !== '' && !annotationTypes.includes(type))
        throw new EngineError(
          'invalid',
          `parse annotations: unknown annotation type ${JSON.stringify(type)}`,
        );
      attributes[`annotation${type === '' ? '' : `-${type}`}${platform}.${key}`] = value;
    }
  }
  return attributes;
}
