import type { ImageRunConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { type ConfigInstruction, configure, workingDirectory } from './configure.ts';
import { parseChange } from './dockerfile/parse.ts';
import { type BuildState, scratchState } from './state.ts';

const allowed = new Set([
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

/**
 * `docker commit --change` and `docker import --change`: instructions that only change the configuration.
 * @throws EngineError `invalid`
 */
export function applyChanges(config: ImageRunConfig, changes: readonly string[]): ImageRunConfig {
  let state: BuildState = {
    ...scratchState({ os: 'linux', architecture: '' }),
    config: structuredClone(config),
  };
  for (const change of changes) {
    requireAllowed(change);
    const instruction = parseChange(change);
    const { kind } = instruction;
    if (kind === 'WORKDIR') {
      const path = workingDirectory(state, (instruction as { path: string }).path, '\\');
      state = { ...state, config: { ...state.config, WorkingDir: path } };
    } else {
      const context = { escapeToken: '\\', buildArgs: {}, globalArgs: new Map<string, string>() };
      state = configure(state, instruction as ConfigInstruction, context);
    }
  }
  return state.config;
}

/** Before anything is parsed, so that an instruction nobody knows gets the same answer. */
function requireAllowed(change: string): void {
  const word = change.trim().split(/\s/)[0] ?? '';
  if (word === '' || allowed.has(word.toUpperCase())) return;
  throw new EngineError('invalid', `${word.toLowerCase()} is not a valid change command`);
}
