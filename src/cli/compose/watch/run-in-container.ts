import type { ExecCreateRequest } from '../../../api/exec.ts';
import { FrameDecoder } from '../../../api/frames.ts';
import type { Client } from '../../../client/client.ts';
import { download, perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';

/** Runs a command in a running container to its end. @returns all it said */
export async function runInContainer(
  client: Client,
  id: string,
  command: Partial<ExecCreateRequest> & { Cmd: string[] },
): Promise<{ exitCode: number; output: string }> {
  const { Id } = await perform(client, containerOperations.execCreate, {
    path: { id },
    json: { AttachStdout: true, AttachStderr: true, ...command },
  });
  const chunks: Buffer[] = [];
  const decoder = new FrameDecoder((_, payload) => chunks.push(Buffer.from(payload)));
  await download(
    client,
    containerOperations.execStart,
    { path: { id: Id }, json: { Detach: false, Tty: false } },
    chunk => decoder.push(chunk),
  );
  const { ExitCode } = await perform(client, containerOperations.execInspect, { path: { id: Id } });
  return { exitCode: ExitCode ?? 0, output: Buffer.concat(chunks).toString() };
}
