import type { AttestationRequest, ProvenanceOptions, SbomOptions } from '../../build/attest/options.ts';
import { EngineError } from '../../stdx/errors.ts';

/**
 * Reads `attest:provenance` and `attest:sbom`, and the build arguments that say the same.
 * @throws EngineError `invalid` in BuildKit's words, `notImplemented` for a generator
 */
export function readAttestations(options: ReadonlyMap<string, string>): AttestationRequest {
  const request: AttestationRequest = {};
  for (const [name, text] of options) {
    const [, kind] = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.*)$/.exec(name) ?? [];
    if (kind === undefined) continue;
    const read = new Fields(text);
    if (read.boolean('disabled')) continue;
    switch (kind.toLowerCase()) {
      case 'provenance':
        request.provenance = readProvenance(read);
        break;
      case 'sbom':
        request.sbom = readSbom(read);
        break;
      default:
        throw new EngineError('invalid', `unknown attestation type ${JSON.stringify(kind.toLowerCase())}`);
    }
  }
  return request;
}

function readProvenance(read: Fields): ProvenanceOptions {
  const mode = read.text('mode') || 'max';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full')
    throw new EngineError('invalid', `invalid mode ${JSON.stringify(mode)}`);
  const version = read.text('version') || 'v0.2';
  if (version !== 'v0.2' && version !== 'v1')
    throw new EngineError('invalid', `invalid provenance SLSA version: ${version}`);
  const options: ProvenanceOptions = {
    mode: mode === 'min' ? 'min' : 'max',
    version,
    builderId: read.text('builder-id'),
    reproducible: read.boolean('reproducible'),
    filename: fileName(read, 'provenance.json'),
    inlineOnly: read.boolean('inline-only'),
  };
  read.refuseOthers('provenance');
  return options;
}

function readSbom(read: Fields): SbomOptions {
  // Other generators are images to be run over the result; ours reads the lists of packages in it.
  const generator = read.text('generator');
  if (generator !== '')
    throw new EngineError(
      'notImplemented',
      `sbom generator ${generator} is not supported: the daemon has its own`,
    );
  const options = { filename: fileName(read, 'sbom.spdx.json') };
  read.refuseOthers('sbom');
  return options;
}

function fileName(read: Fields, usual: string): string {
  const name = read.text('filename') || usual;
  if (/[/\0]/.test(name) || name === '.' || name === '..')
    throw new EngineError('invalid', `invalid attestation filename ${JSON.stringify(name)}`);
  return name;
}

class Fields {
  readonly #values: Map<string, string>;

  constructor(text: string) {
    const fields = text === '' ? [] : text.split(',').map(field => field.replace(/^"(.*)"$/, '$1'));
    this.#values = new Map(
      fields.map(field => {
        const equals = field.indexOf('=');
        return equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)];
      }),
    );
    this.#values.delete('type');
  }

  text(name: string): string {
    const value = this.#values.get(name) ?? '';
    this.#values.delete(name);
    return value;
  }

  boolean(name: string): boolean {
    const text = this.text(name);
    if (!/^(|1|t|true|0|f|false)$/i.test(text))
      throw new EngineError('invalid', `failed to parse ${name} flag ${JSON.stringify(text)}`);
    return /^(1|t|true)$/i.test(text);
  }

  refuseOthers(kind: string): void {
    const [other] = this.#values.keys();
    if (other !== undefined)
      throw new EngineError('notImplemented', `${kind} attestations with ${other} are not supported`);
  }
}
