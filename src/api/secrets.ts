/** `GET /secrets/{id}`; without its value, which nothing shows. */
export interface Secret {
  ID: string;
  Version: { Index: number };
  CreatedAt: string;
  UpdatedAt: string;
  Spec: { Name: string; Labels: Record<string, string> };
}

/** `POST /secrets/create`, `POST /secrets/{id}/update?version=` */
export interface SecretSpec {
  Name: string;
  Labels?: Record<string, string> | null;
  /** Base64; in an update absent. */
  Data?: string;
  Driver?: { Name: string };
  Templating?: { Name: string };
}

export interface SecretCreateResponse {
  ID: string;
}
