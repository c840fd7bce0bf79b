import type { ProgressMessage } from '../api/images.ts';
import { registryAuthHeader } from '../api/paths.ts';
import { follow } from '../client/operation.ts';
import { imageOperations } from '../client/operations.ts';
import type { Output } from './output/output.ts';
import { ProgressDisplay } from './output/progress.ts';
import { registryOf, splitReference } from './references.ts';
import { encodeAuth } from './registry-auth.ts';
import type { Session } from './session.ts';

export interface PullOptions {
  all?: boolean;
  platform: string;
  quiet: boolean;
  to: Output;
  /** Shows how it goes instead of `to`. */
  display?: Pick<ProgressDisplay, 'show'>;
}

/** Pulls, showing how it goes on `to`. @throws what the daemon says went wrong */
export async function pullImage(
  session: Session,
  reference: string,
  { all = false, platform, quiet, to, display = new ProgressDisplay(to, { quiet }) }: PullOptions,
): Promise<void> {
  const { repository, tag, digest } = splitReference(reference);
  const input = {
    query: { fromImage: repository, tag: digest ?? tag ?? (all ? undefined : 'latest'), platform },
    headers: { [registryAuthHeader]: await encodeAuth(session, registryOf(repository)) },
  };
  await follow(await session.client(), imageOperations.pull, input, (message: ProgressMessage) =>
    display.show(message),
  );
}
