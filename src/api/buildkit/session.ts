/** What a client serves on its session besides files: passwords, secrets, agents, a context from its standard input. */
import { bytes, int64, mapOf, message, repeated, single, string } from '../protobuf.ts';
import { bytesMessage } from './control.ts';
import { service } from './service.ts';

/** Headers of the request that opens a session (POST /session, upgraded to h2c). */
export const sessionHeader = {
  id: 'x-docker-expose-session-uuid',
  name: 'x-docker-expose-session-name',
  /** Sessions that share one may share what was sent of their files. */
  sharedKey: 'x-docker-expose-session-sharedkey',
  /** A method that the client serves, `/moby.filesync.v1.FileSync/DiffCopy`; one header each. */
  method: 'x-docker-expose-session-grpc-method',
} as const;

export const authService = service('moby.filesync.v1.Auth', {
  credentials: [
    'Credentials',
    message({ host: single(1, string) }),
    message({ username: single(1, string), secret: single(2, string) }),
  ],
  fetchToken: [
    'FetchToken',
    message({
      clientId: single(1, string),
      host: single(2, string),
      realm: single(3, string),
      service: single(4, string),
      scopes: repeated(5, string),
    }),
    message({ token: single(1, string), expiresIn: single(2, int64), issuedAt: single(3, int64) }),
  ],
});

export const secretsService = service('moby.buildkit.secrets.v1.Secrets', {
  getSecret: [
    'GetSecret',
    message({ id: single(1, string), annotations: mapOf(2, string) }),
    message({ data: single(1, bytes) }),
  ],
});

/** ForwardAgent carries one connection to the agent; its metadata says which agent. */
export const sshService = service('moby.sshforward.v1.SSH', {
  checkAgent: ['CheckAgent', message({ id: single(1, string) }), message({})],
  forwardAgent: ['ForwardAgent', bytesMessage, bytesMessage],
});

export const sshIdHeader = 'buildkit.ssh.id';

/** Pull's metadata says by `urlpath` what is wanted of what the client offers. */
export const uploadService = service('moby.upload.v1.Upload', {
  pull: ['Pull', bytesMessage, bytesMessage],
});
