import { withApiSocket } from '../../compose/api-socket.ts';
import type { Project } from '../../compose/project.ts';
import type { Session } from '../session.ts';

const usualSocket = '/var/run/docker.sock';

/** What `use_api_socket` gives services: the socket we speak to, and the credentials we have. */
export async function withSocketOf(session: Session, project: Project): Promise<Project> {
  if (!Object.values(project.services).some(({ use_api_socket }) => use_api_socket)) return project;
  const { endpoint } = await session.client();
  const { Credentials } = await import('../config/credentials.ts');
  const path = endpoint.kind === 'unix' ? endpoint.path : usualSocket;
  return withApiSocket(
    project,
    path.replace(/^\/run\//, '/var/run/') === usualSocket ? usualSocket : path,
    () => {
      const all = Object.entries(new Credentials(session.configDirectory, session.config()).all());
      return Object.fromEntries(
        all.map(([server, { username = '', password = '', identitytoken }]) => {
          const auth = Buffer.from(`${username}:${password}`).toString('base64');
          return [server, { auth, ...(identitytoken === undefined ? {} : { identitytoken }) }];
        }),
      );
    },
  );
}
