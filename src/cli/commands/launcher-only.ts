import { EngineError } from '../../stdx/errors.ts';
import { anyArguments, type Command } from '../command.ts';

/** `daemon`, `demo`, `doctor` and `setup` are programs of their own, which the launcher starts instead of the client. */
export const command: Command = {
  usage: '[OPTIONS]',
  short: 'A program of its own, started by the gantry launcher',
  flags: '',
  takes: anyArguments,
  interspersed: false,
  async run({ path }) {
    throw new EngineError(
      'notImplemented',
      `gantry ${path} is started by the gantry launcher, not by the client's bundle alone`,
    );
  },
};
