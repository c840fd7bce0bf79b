import { EngineError } from '../../stdx/errors.ts';

/** What `--output type=oci,name=app,compression=zstd` asks of the engine; `dest` is the client's. */
export type ExportPlan =
  | { type: 'image'; names: string[]; push: boolean; rewriteTimes: boolean; epochMs?: number }
  | { type: 'local' | 'tar'; epochMs?: number }
  | {
      type: 'oci' | 'docker';
      names: string[];
      compression: LayerForm;
      /** Media types of OCI, not of Docker. */
      ociTypes: boolean;
      annotations: { manifest: Record<string, string>; descriptor: Record<string, string> };
      rewriteTimes: boolean;
      epochMs?: number;
    };

export interface LayerForm {
  type: 'none' | 'gzip' | 'zstd';
  /** The compressor's own default when it is undefined. */
  level?: number;
  /** Layers that are kept in another form are packed anew. */
  force: boolean;
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
      if (read.boolean('platform-split')) throw read.unsupported('platform-split');
      return { type, epochMs };
    case 'oci':
    case 'docker':
      return planArchive(type, read, epochMs);
    default:
      throw new EngineError('notImplemented', `exporter ${JSON.stringify(type)} is not supported`);
  }
}

function planImage(read: AttributeReader, epochMs: number | undefined): ExportPlan {
  const push = read.boolean('push') ?? false;
  // The store has its layers unpacked in any case, and its manifests are Docker's.
  read.boolean('unpack');
  if (read.boolean('store') === false) throw read.unsupported('store=false');
  if (read.boolean('oci-mediatypes')) throw read.unsupported('oci-mediatypes');
  const compression = readForm(read);
  if (compression.type !== 'gzip' || compression.level !== undefined || compression.force)
    throw read.unsupported('compression');
  const rewriteTimes = readRewrite(read, epochMs);
  return { type: 'image', names: read.list('name'), push, rewriteTimes, epochMs };
}

function planArchive(type: 'oci' | 'docker', read: AttributeReader, epochMs: number | undefined): ExportPlan {
  if (read.boolean('tar') === false) throw read.unsupported('tar=false');
  const compression = readForm(read);
  // Docker has no media type for zstd that all of its versions read.
  const ociTypes = read.boolean('oci-mediatypes') ?? (type === 'oci' || compression.type === 'zstd');
  const annotations = { manifest: read.annotations('manifest'), descriptor: read.annotations('descriptor') };
  const rewriteTimes = readRewrite(read, epochMs);
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

function readRewrite(read: AttributeReader, epochMs: number | undefined): boolean {
  const rewrite = read.boolean('rewrite-timestamp') ?? false;
  // Without a time there is nothing they could be set to; BuildKit does nothing then either.
  return rewrite && epochMs !== undefined;
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

  /** `annotation.KEY` and `annotation-manifest.KEY`, or `annotation-manifest-descriptor.KEY`; also with `[os/arch]`. */
  annotations(of: 'manifest' | 'descriptor'): Record<string, string> {
    const found: Record<string, string> = {};
    const pattern =
      of === 'manifest'
        ? /^annotation(?:-manifest)?(?:\[[^\]]*\])?\.(.+)$/
        : /^annotation-manifest-descriptor(?:\[[^\]]*\])?\.(.+)$/;
    for (const [name, value] of Object.entries(this.#attributes)) {
      const key = pattern.exec(name)?.[1];
      if (key === undefined) continue;
      this.#known.add(name);
      found[key] = value;
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
