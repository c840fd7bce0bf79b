import type { ProgressMessage } from '../api/images.ts';
import { registryAuthHeader } from '../api/paths.ts';
import { follow } from '../client/operation.ts';
import { imageOperations } from '../client/operations.ts';
import type { ProgressDisplay } from './output/progress.ts';
import { registryOf, splitReference } from './references.ts';
import { encodeAuth } from './registry-auth.ts';
import type { Session } from './session.ts';

/** Has the daemon send one tag, `latest` when none is named. */
export async function pushReference(
  session: Session,
  reference: string,
  display: ProgressDisplay,
): Promise<void> {
  const { repository, tag = 'latest' } = splitReference(reference);
  const input = {
    path: { name: repository },
    query: { tag },
    headers: { [registryAuthHeader]: await encodeAuth(session, registryOf(repository)) },
  };
  await follow(await session.client(), imageOperations.push, input, (message: ProgressMessage) =>
    display.show(message),
  );
}
