/** Something that is said of a result: how it was built, what is in it. */
export interface Attestation {
  predicateType: string;
  predicate: object;
  /** Of the file beside exported files. */
  filename: string;
  /** Only where it becomes part of an image that is pushed. */
  inlineOnly: boolean;
}

export interface Subject {
  name: string;
  digest: Record<string, string>;
}

/** By in-toto's specification (in-toto.io/Statement/v0.1), as BuildKit writes it. */
export function statementOf({ predicateType, predicate }: Attestation, subject: readonly Subject[]): object {
  return { _type: 'https://in-toto.io/Statement/v0.1', predicateType, subject, predicate };
}
