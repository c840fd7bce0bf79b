import { posix } from 'node:path';
import type { ImageRunConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { type ConfigInstruction, configure, workingDirectory } from './configure.ts';
import { parseChanges } from './dockerfile/parse.ts';
import { type BuildState, scratchState } from './state.ts';

const allowed = new Set([
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

/**
 * `docker commit --change` and `docker import --change`: instructions that only change the configuration.
 * @throws EngineError `invalid`
 */
export function applyChanges(config: ImageRunConfig, changes: readonly string[]): ImageRunConfig {
  if (changes.length === 0) return structuredClone(config);
  let state: BuildState = {
    ...scratchState({ os: 'linux', architecture: '' }),
    config: structuredClone(config),
  };
  const { instructions, escapeToken } = parseChanges(changes.join('\n'), allowed);
  for (const instruction of instructions) {
    if (instruction.kind === 'WORKDIR') {
      if (/^(""|'')?$/.test(instruction.path)) throw new EngineError('invalid', 'cannot normalize nothing');
      const path = posix.resolve('/', workingDirectory(state, instruction.path, escapeToken));
      state = { ...state, config: { ...state.config, WorkingDir: path } };
    } else {
      const context = { escapeToken, buildArgs: {}, globalArgs: new Map<string, string>() };
      state = configure(state, instruction as ConfigInstruction, context);
    }
  }
  return state.config;
}
