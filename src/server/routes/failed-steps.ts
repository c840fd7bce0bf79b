import type { FailedStep } from '../../api/build.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { expectEarlyData, hijack } from '../hijack.ts';
import { terminalSize } from './lifecycle.ts';

/** A RUN that has failed, kept by its build for whoever has the build's token. */
export const failedStepRoutes: readonly Route[] = [
  { method: 'GET', path: '/gantry/failed-steps/{token}', handler: wait },
  { method: 'POST', path: '/gantry/failed-steps/{token}/enter', handler: enter },
  { method: 'POST', path: '/gantry/failed-steps/{token}/resize', handler: resize },
  { method: 'DELETE', path: '/gantry/failed-steps/{token}', handler: release },
];

/** Answers when the build has a failed step; 404 when it ends without one. */
async function wait(call: Call): Promise<void> {
  const step = await call.engine.builder.heldSteps.wait(call.param('token'), call.signal);
  if (step === undefined) throw new EngineError('notFound', 'the build ended without a failed step');
  const answer: FailedStep = { Command: [...step.args], ExitCode: step.exitCode };
  call.json(answer);
}

/** Takes the connection for a command on a terminal; `cmd` is repeated for each of its words, `/bin/sh` without any. */
async function enter(call: Call): Promise<void> {
  expectEarlyData(call);
  const { heldSteps } = call.engine.builder;
  const token = call.param('token');
  const words = call.query.all('cmd');
  const size = terminalSize(call);
  heldSteps.requireFree(token);
  const { input, stdout, end } = hijack(call, true);
  try {
    const terminal = { size, input, output: stdout, started: () => {} };
    await heldSteps.enter(token, words.length === 0 ? ['/bin/sh'] : words, terminal, call.signal);
  } catch (error) {
    stdout.write(Buffer.from(`${messageOf(error)}\r\n`));
  } finally {
    await end();
  }
}

function resize(call: Call): void {
  call.engine.builder.heldSteps.resize(call.param('token'), terminalSize(call));
  call.empty(204);
}

function release(call: Call): void {
  call.engine.builder.heldSteps.release(call.param('token'));
  call.empty(204);
}
