import { EngineError } from '../../stdx/errors.ts';

/** What `--output type=oci,name=app,compression=zstd` asks of the engine; `dest` is the client's. */
export type ExportPlan =
  | {
      type: 'image';
      names: string[];
      push: boolean;
      /** Media types of OCI, not of Docker; undefined: nothing was said. */
      ociTypes?: boolean;
      annotations: Annotation[];
      /** Times in layers are changed to the build's; undefined: nothing was said. */
      rewriteTimes?: boolean;
      epochMs?: number;
    }
  | {
      type: 'local' | 'tar';
      /** A folder for each platform; undefined: if there are several. */
      split?: boolean;
      /** Before the names of files that attest. */
      attestationPrefix: string;
      epochMs?: number;
    }
  | {
      type: 'oci' | 'docker';
      names: string[];
      compression: LayerForm;
      /** Media types of OCI, not of Docker. */
      ociTypes: boolean;
      annotations: Annotation[];
      rewriteTimes?: boolean;
      epochMs?: number;
    };

export interface Annotation {
  of: 'manifest' | 'manifest-descriptor' | 'index' | 'index-descriptor';
  /** `linux/arm64`; undefined: of all. */
  platform?: string;
  key: string;
  value: string;
}

export interface LayerForm {
  type: 'none' | 'gzip' | 'zstd';
  /** The compressor's own default when it is undefined. */
  level?: number;
  /** Layers that are kept in another form are packed anew. */
  force: boolean;
}

/** @param platform of the manifest; undefined: of the index */
export function annotationsOf(
  annotations: readonly Annotation[],
  of: Annotation['of'],
  platform?: string,
): Record<string, string> {
  const meant = annotations.filter(
    one => one.of === of && (one.platform === undefined || one.platform === platform),
  );
  return Object.fromEntries(meant.map(({ key, value }) => [key, value]));
}

/**
 * Reads an exporter's attributes, as buildx sends them.
 * @throws EngineError `invalid` for a bad value, `notImplemented` naming what is not there
 */
export function planExport(type: string, attributes: Readonly<Record<string, string>>): ExportPlan {
  const read = new AttributeReader(type, attributes);
  const plan = planOf(type, read);
  read.refuseOthers();
  return plan;
}

function planOf(type: string, read: AttributeReader): ExportPlan {
  const epochMs = read.epochMs();
  switch (type) {
    // dockerd calls its own store so.
    case 'moby':
    case 'image':
      return planImage(read, epochMs);
    case 'local':
    case 'tar':
      return {
        type,
        split: read.boolean('platform-split'),
        attestationPrefix: read.text('attestation-prefix') ?? '',
        epochMs,
      };
    case 'oci':
    case 'docker':
      return planArchive(type, read, epochMs);
    default:
      throw new EngineError('notImplemented', `exporter ${JSON.stringify(type)} is not supported`);
  }
}

function planImage(read: AttributeReader, epochMs: number | undefined): ExportPlan {
  const push = read.boolean('push') ?? false;
  // The store has its layers unpacked in any case, and its manifests are Docker's. docker compose, where it finds no
  // buildx, asks for `load`: into this store.
  read.boolean('unpack');
  read.boolean('load');
  if (read.boolean('store') === false) throw read.unsupported('store=false');
  const ociTypes = read.boolean('oci-mediatypes');
  const compression = readForm(read);
  if (compression.type !== 'gzip' || compression.level !== undefined || compression.force)
    throw read.unsupported('compression');
  const rewriteTimes = read.boolean('rewrite-timestamp');
  const annotations = read.annotations();
  return { type: 'image', names: read.list('name'), push, ociTypes, annotations, rewriteTimes, epochMs };
}

function planArchive(type: 'oci' | 'docker', read: AttributeReader, epochMs: number | undefined): ExportPlan {
  if (read.boolean('tar') === false) throw read.unsupported('tar=false');
  const compression = readForm(read);
  // Docker has no media type for zstd that all of its versions read.
  const ociTypes = read.boolean('oci-mediatypes') ?? (type === 'oci' || compression.type === 'zstd');
  const annotations = read.annotations();
  const rewriteTimes = read.boolean('rewrite-timestamp');
  return { type, names: read.list('name'), compression, ociTypes, annotations, rewriteTimes, epochMs };
}

function readForm(read: AttributeReader): LayerForm {
  const text = read.text('compression') ?? 'gzip';
  const type = text === 'uncompressed' ? 'none' : text;
  if (type !== 'none' && type !== 'gzip' && type !== 'zstd') throw read.unsupported(`compression=${text}`);
  return {
    type,
    level: read.integer('compression-level'),
    force: read.boolean('force-compression') ?? false,
  };
}

class AttributeReader {
  readonly #type: string;
  readonly #attributes: Readonly<Record<string, string>>;
  readonly #known = new Set<string>();

  constructor(type: string, attributes: Readonly<Record<string, string>>) {
    this.#type = type;
    this.#attributes = attributes;
  }

  text(name: string): string | undefined {
    this.#known.add(name);
    return this.#attributes[name];
  }

  /** An attribute without a value is true, as in BuildKit. */
  boolean(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^(|1|t|true)$/i.test(text)) return true;
    if (/^(0|f|false)$/i.test(text)) return false;
    throw new EngineError('invalid', `non-bool value specified for ${name}`);
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^-?\d{1,9}$/.test(text)) return Number(text);
    throw new EngineError('invalid', `non-integer value ${text} specified for ${name}`);
  }

  list(name: string): string[] {
    return (this.text(name) ?? '').split(',').filter(one => one !== '');
  }

  /** SOURCE_DATE_EPOCH in milliseconds. */
  epochMs(): number | undefined {
    const text = this.text('source-date-epoch');
    if (text === undefined || text === '') return undefined;
    if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
    throw new EngineError('invalid', `invalid SOURCE_DATE_EPOCH: ${text}`);
  }

  /** `annotation.KEY`, `annotation-index.KEY`, `annotation-manifest[linux/arm64].KEY` and the like. */
  annotations(): Annotation[] {
    const found: Annotation[] = [];
    const pattern =
      /^annotation(?:-(manifest|manifest-descriptor|index|index-descriptor))?(?:\[([^\]]*)\])?\.(.+)$/;
    for (const [name, value] of Object.entries(this.#attributes)) {
      const match = pattern.exec(name);
      if (match === null) continue;
      this.#known.add(name);
      const [, of = 'manifest', platform, key = ''] = match;
      found.push({
        of: of as Annotation['of'],
        ...(platform === undefined ? {} : { platform }),
        key,
        value,
      });
    }
    return found;
  }

  unsupported(what: string): EngineError {
    return new EngineError('notImplemented', `${what} is not supported by the ${this.#type} exporter`);
  }

  refuseOthers(): void {
    const other = Object.keys(this.#attributes).find(name => !this.#known.has(name));
    if (other !== undefined) throw this.unsupported(other);
  }
}
