import type { Storage } from '../../storage/storage.ts';
import type { FileStep } from '../file-step.ts';
import type { SourceTree } from '../source-tree.ts';

/** A context as a layer, for what wants a file system: FROM, and mounts of RUN. All of it is root's. */
export async function prepareDirectory(tree: SourceTree, storage: Storage): Promise<FileStep> {
  const { digest } = await tree.hash('/');
  return {
    parts: { step: 'directory', content: digest },
    timesOfContext: true,
    createdBy: 'COPY . / # context',
    mountPoints: false,
    apply: async (rootfs, _emit, signal) => {
      const from = await tree.root();
      const root = await storage.confine(rootfs);
      try {
        await root.copyTree({ from, source: '/', destination: '/', owner: { uid: 0, gid: 0 }, signal });
      } finally {
        await root.close();
      }
    },
  };
}
