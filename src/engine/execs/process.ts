import type { ProcessInput } from '../../runtime/spec.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { mergeEnvironment } from '../containers/merge.ts';
import { resolveUserIn } from '../containers/root.ts';
import type { SecurityDefaults } from '../containers/security-options.ts';
import { environmentOf, processInputOf } from '../containers/spec-input.ts';
import type { ExecConfig } from '../engine.ts';

/** The process of an exec: the container's own identity, environment and directory, unless the caller says otherwise. */
export function execProcess(
  container: ContainerRecord,
  config: ExecConfig,
  consoleSize: { rows: number; columns: number } | undefined,
  linkEnvironment: readonly string[],
  defaults: SecurityDefaults,
): ProcessInput {
  const user = resolveUserIn(
    `/proc/${container.state.pid}/root`,
    config.user || container.config.user,
    container.hostConfig.groupAdd,
  );
  const environment = environmentOf(
    { ...container, config: { ...container.config, tty: config.tty } },
    user.home,
    linkEnvironment,
  );
  return {
    ...processInputOf(container, user, defaults, {
      cwd: config.workingDir || container.config.workingDir,
      tty: config.tty,
      privileged: config.privileged,
    }),
    args: config.cmd,
    env: mergeEnvironment(environment, config.env),
    consoleSize: consoleSize && { rows: consoleSize.rows, cols: consoleSize.columns },
  };
}
