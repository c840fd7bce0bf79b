import { registryAuthHeader, registryConfigHeader } from '../api/paths.ts';
import type { RegistryCredentials } from '../engine/images.ts';
import type { Call } from './call.ts';
import { registryAuth } from './convert/shapes.ts';
import { decodeJson, map, type Shape } from './go-json.ts';

export type AuthBody = ReturnType<typeof registryAuth.read>;

/** Credentials of a pull or push; undefined: none were sent. */
export function credentialsOf(call: Call): RegistryCredentials | undefined {
  const body = readHeader(call, registryAuthHeader, registryAuth);
  return body === undefined ? undefined : credentialsFromWire(body);
}

/** Credentials of a build, by registry. */
export function allCredentialsOf(call: Call): Record<string, RegistryCredentials> {
  const body = readHeader(call, registryConfigHeader, map(registryAuth)) ?? {};
  return Object.fromEntries(Object.entries(body).map(([host, auth]) => [host, credentialsFromWire(auth)]));
}

export function credentialsFromWire(body: AuthBody): RegistryCredentials {
  // `auth` is how config.json keeps both: base64 of `user:password`.
  const [user, password] = splitAuth(body.auth ?? '');
  return {
    username: body.username || user,
    password: body.password || password,
    identityToken: body.identitytoken || undefined,
    registryToken: body.registrytoken || undefined,
    serverAddress: body.serveraddress || undefined,
  };
}

function readHeader<T>(call: Call, name: string, shape: Shape<T>): T | undefined {
  const header = call.request.headers[name.toLowerCase()];
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    // Buffer takes both alphabets of base64, and so do clients.
    return decodeJson(Buffer.from(header, 'base64').toString('utf8'), shape, 'AuthConfig');
  } catch (error) {
    // dockerd goes on without credentials when it cannot read them (registry.DecodeAuthConfig's callers).
    call.services.log.debug({ err: error, header: name }, 'unreadable credentials left aside');
    return undefined;
  }
}

function splitAuth(auth: string): [string | undefined, string | undefined] {
  if (auth === '') return [undefined, undefined];
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? [undefined, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}
