import type { Session } from './session.ts';

/** Credentials for one registry, as the auth header carries them. */
export async function encodeAuth(session: Session, server: string): Promise<string> {
  const { Credentials } = await import('./config/credentials.ts');
  const auth = new Credentials(session.configDirectory, session.config()).get(server);
  return base64Url(JSON.stringify(auth));
}

/** Credentials for all registries, for builds. */
export async function encodeAllAuths(session: Session): Promise<string> {
  const { Credentials } = await import('./config/credentials.ts');
  return base64Url(JSON.stringify(new Credentials(session.configDirectory, session.config()).all()));
}

/** With padding, as Go's base64.URLEncoding wants it. */
function base64Url(text: string): string {
  return Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
