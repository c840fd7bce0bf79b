import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { told } from '../cli.ts';
import { type Command, exactly } from '../command.ts';
import { ExitError } from '../errors.ts';

export const command: Command = {
  usage: 'CONTAINER NEW_NAME',
  short: 'Rename a container',
  aliases: 'container rename, rename',
  flags: '',
  takes: exactly(2),
  async run({ session, args: [id = '', name = ''] }) {
    if (id.trim() === '' || name.trim() === '')
      throw new EngineError('invalid', 'Error: Neither old nor new names may be empty');
    try {
      await act(await session.client(), containerOperations.rename, { path: { id }, query: { name } });
    } catch (error) {
      throw new ExitError(1, `${told(error)}\nError: failed to rename container named ${id}`);
    }
  },
};
