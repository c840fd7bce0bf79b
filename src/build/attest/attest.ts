import type { BuiltImage } from '../export/result.ts';
import type { BuildRequest } from '../request.ts';
import type { Workspace } from '../workspace.ts';
import type { AttestationRequest } from './options.ts';
import { distributionOf, installedPackages } from './packages.ts';
import { type BuildFacts, type BuildParameters, predicateTypes, provenance } from './provenance.ts';
import { spdxDocument, spdxPredicateType } from './sbom.ts';
import type { Attestation } from './statement.ts';

/** What is to be said of a result, and what the caller knows of the build. */
export interface AttestedRequest extends AttestationRequest {
  parameters: BuildParameters;
  /** Of the daemon. */
  version: string;
}

export interface AttestedBuild {
  request: AttestedRequest;
  facts: Omit<BuildFacts, 'parameters'>;
  /** Of the document about packages. */
  name: string;
  /** Of what is made of times that are given; undefined: now. */
  timeMs?: number | undefined;
}

/** What there is to say of one platform's result. */
export async function attestationsOf(
  { layers }: Pick<BuiltImage, 'layers'>,
  { request, facts, name, timeMs = Date.now() }: AttestedBuild,
  workspace: Workspace,
): Promise<Attestation[]> {
  const attestations: Attestation[] = [];
  if (request.sbom !== undefined) {
    const { root } = await workspace.view(layers.at(-1)?.chainId);
    const [packages, distribution] = [await installedPackages(root), await distributionOf(root)];
    attestations.push({
      predicateType: spdxPredicateType,
      predicate: spdxDocument({ name, packages, distribution, createdMs: timeMs, version: request.version }),
      filename: request.sbom.filename,
      inlineOnly: false,
    });
  }
  if (request.provenance !== undefined) {
    const { version, filename, inlineOnly } = request.provenance;
    attestations.push({
      predicateType: predicateTypes[version],
      predicate: provenance({ ...facts, parameters: request.parameters }, request.provenance),
      filename,
      inlineOnly,
    });
  }
  return attestations;
}

/** Whether more is to be said than what goes into pushed images only. */
export function attestsAlways({ attestations }: Pick<BuildRequest, 'attestations'>): boolean {
  return attestations?.sbom !== undefined || attestations?.provenance?.inlineOnly === false;
}
