import type { Descriptor } from '../../oci/image.ts';

/** `containerimage.digest` and what else BuildKit's exporters tell, for `--metadata-file`. */
export type ExportAnswer = Record<string, string>;

export function descriptorAnswer(manifest: Descriptor): ExportAnswer {
  return { 'containerimage.descriptor': Buffer.from(JSON.stringify(manifest)).toString('base64') };
}
