import type { Storage } from '../../storage/storage.ts';
import type { FileStep } from '../file-step.ts';
import { type BuildState, chainIdOfState } from '../state.ts';
import type { Workspace } from '../workspace.ts';
import { type Owner, ownerIn } from './owner.ts';

/** WORKDIR makes its directory when it is missing; it belongs to the USER of the moment, as in BuildKit. */
export async function prepareWorkdir(
  state: BuildState,
  path: string,
  createdBy: string,
  { storage, workspace }: { storage: Storage; workspace: Workspace },
): Promise<FileStep> {
  const user = state.config.User ?? '';
  const owner: Owner | undefined =
    user === '' || user === 'root' ? undefined : await ownerIn(workspace.treeOf(chainIdOfState(state)), user);
  return {
    parts: { step: 'workdir', path, owner: owner === undefined ? null : `${owner.uid}:${owner.gid}` },
    createdBy,
    mountPoints: false,
    apply: async rootfs => {
      const root = await storage.confine(rootfs);
      try {
        if ((await root.stat(path, { follow: true }))?.type !== 'directory')
          await root.makeDirectory(path, { owner });
      } finally {
        await root.close();
      }
    },
  };
}
