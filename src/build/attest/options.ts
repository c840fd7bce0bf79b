/** What the result is to say of itself, as a build's options ask for it. */
export interface AttestationRequest {
  provenance?: ProvenanceOptions;
  sbom?: SbomOptions;
}

export interface ProvenanceOptions {
  mode: 'min' | 'max';
  /** Of SLSA. */
  version: 'v0.2' | 'v1';
  builderId: string;
  reproducible: boolean;
  /** Of the file beside exported files. */
  filename: string;
  /** Only where it becomes part of an image that is pushed. */
  inlineOnly: boolean;
}

export interface SbomOptions {
  filename: string;
}
