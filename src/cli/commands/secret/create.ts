import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { perform } from '../../../client/operation.ts';
import { secretOperations } from '../../../client/operations.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { between, type Command } from '../../command.ts';
import { keyValues } from '../../key-values.ts';
import type { Session } from '../../session.ts';
import { plainReason } from '../../streams.ts';

export const command: Command = {
  usage: '[OPTIONS] SECRET [file|-]',
  short: 'Create a secret from a file or STDIN as content',
  flags: `
  -d, --driver string  Secret driver
  -l, --label list  Secret labels
      --template-driver string  Template driver
`,
  takes: between(1, 2),
  async run({ session, flags, args: [Name = '', file] }) {
    const driver = flags.string('driver');
    const templating = flags.string('template-driver');
    if (file === undefined && driver === '') throw new EngineError('invalid', 'secret file is required');
    const value = file === undefined ? undefined : await read(session, file);
    const json = {
      Name,
      Labels: keyValues(flags.list('label')),
      Data: value?.toString('base64'),
      Driver: driver === '' ? undefined : { Name: driver },
      Templating: templating === '' ? undefined : { Name: templating },
    };
    const { ID } = await perform(await session.client(), secretOperations.create, { json });
    session.out.line(ID);
  },
};

async function read(session: Session, file: string): Promise<Buffer> {
  const shown = file === '-' ? 'STDIN' : file;
  let value: Buffer;
  try {
    value =
      file === '-'
        ? await bytesOf(session)
        : readFileSync(resolve(session.surroundings.workingDirectory, file));
  } catch (error) {
    throw new EngineError('invalid', `error reading from ${shown}: open ${file}: ${plainReason(error)}`, {
      cause: error,
    });
  }
  if (value.length === 0) throw new EngineError('invalid', `error reading from ${shown}: data is empty`);
  return value;
}

async function bytesOf(session: Session): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of session.input.stream() as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
