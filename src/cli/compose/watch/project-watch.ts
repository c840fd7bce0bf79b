import { act, perform } from '../../../client/operation.ts';
import { containerOperations, imageOperations } from '../../../client/operations.ts';
import type { Hook } from '../../../compose/project.ts';
import { kindOf, messageOf } from '../../../stdx/errors.ts';
import type { Call } from '../../command.ts';
import { command as createCommand } from '../../commands/compose/create.ts';
import { declareFlags, parseFlags } from '../../flags.ts';
import { bringUp } from '../bring-up.ts';
import { isRunning } from '../life-cycle.ts';
import { LiveBlock } from '../progress/live-block.ts';
import { openProgress } from '../progress/open-progress.ts';
import { projectContainers, type ServiceContainer } from '../service-containers.ts';
import { type Change, planReactions, type Reaction } from './changes.ts';
import type { Watched } from './rules.ts';
import { runInContainer } from './run-in-container.ts';
import { syncFiles } from './sync.ts';
import { TreeWatcher } from './tree-watcher.ts';

export interface ProjectWatchOptions {
  /** `--quiet`: nothing is shown of builds. */
  quiet: boolean;
  /** Images that a rebuilt one leaves without a name are removed. */
  prune: boolean;
  /** Takes a line about what is done. */
  say(line: string): void;
  /** Where progress is drawn. */
  block?: LiveBlock;
  /** Told before the containers of services are ended, when all is done, and when one runs again. */
  onReplacing?(services: readonly string[]): void;
  onReplaced?(): void;
  onStarted?(name: string): void;
}

/** How often files that change while they are read are tried again. */
const readAttempts = 10;

/** Watches the files of a project's services and does what their rules say, one thing after the other. */
export class ProjectWatch {
  readonly #call: Call;
  readonly #rules: readonly Watched[];
  readonly #options: ProjectWatchOptions;
  readonly #watchers: TreeWatcher[] = [];
  #changes: Change[] = [];
  #working: Promise<void> | undefined;
  #closed = false;

  /** @param call names the project by its group flags */
  constructor(call: Call, rules: readonly Watched[], options: ProjectWatchOptions) {
    this.#call = call;
    this.#rules = rules;
    this.#options = options;
  }

  /** Changes from now on count. Those of rules with `initial_sync` are brought over first. */
  start(): void {
    for (const rule of this.#rules) {
      const watcher = this.#watch(rule);
      if (rule.initialSync && rule.action.startsWith('sync')) this.#add(rule, watcher.paths());
      if (!watcher.found) this.#options.say(`path ${JSON.stringify(rule.path)} does not exist yet`);
    }
    this.#options.say('Watch enabled');
  }

  /** What is being done is finished. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.close();
    await this.#working;
  }

  #watch(rule: Watched): TreeWatcher {
    const watcher = new TreeWatcher(rule.path, {
      skips: below => rule.skips(below),
      onChanges: below => this.#add(rule, below),
      onError: error => this.#options.say(messageOf(error)),
    });
    this.#watchers.push(watcher);
    return watcher;
  }

  #add(rule: Watched, below: readonly string[]): void {
    this.#changes.push(...below.map(path => ({ rule, below: path })));
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    // Watchers of several rules tell of one change one after the other.
    await new Promise(setImmediate);
    while (this.#changes.length > 0 && !this.#closed) {
      const changes = this.#changes;
      this.#changes = [];
      const reactions = planReactions(changes);
      const rebuilt = reactions.filter(({ rebuild }) => rebuild).map(({ service }) => service);
      for (const reaction of reactions)
        if (!reaction.rebuild) await this.#telling(() => this.#react(reaction));
      if (rebuilt.length > 0) await this.#telling(() => this.#rebuild(rebuilt));
    }
  }

  /** What goes wrong ends nothing: the next change may mend it. */
  async #telling(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.say(messageOf(error));
    }
  }

  async #react({ service, sync, restart, execs }: Reaction): Promise<void> {
    if (sync.size > 0) {
      this.#options.say(
        `Syncing service ${JSON.stringify(service)} after ${sync.size} changes were detected`,
      );
      await Promise.all((await this.#containers(service)).map(container => this.#sync(container, sync)));
    }
    if (restart) {
      const client = await this.#call.session.client();
      const containers = await this.#containers(service, () => true);
      this.#options.onReplacing?.([service]);
      try {
        await Promise.all(
          containers.map(({ id }) => act(client, containerOperations.restart, { path: { id } })),
        );
        for (const { name } of containers) this.#options.onStarted?.(name);
      } finally {
        this.#options.onReplaced?.();
      }
      this.#options.say(`service(s) [${JSON.stringify(service)}] restarted`);
    }
    for (const hook of execs)
      for (const container of await this.#containers(service)) await this.#exec(container, hook);
  }

  async #sync({ id }: ServiceContainer, places: ReadonlyMap<string, string>): Promise<void> {
    const client = await this.#call.session.client();
    for (let attempt = 1; ; attempt++) {
      try {
        return await syncFiles(client, id, places);
      } catch (error) {
        if (kindOf(error) !== 'conflict' || attempt === readAttempts) throw error;
      }
    }
  }

  async #exec({ id }: ServiceContainer, { command, user, privileged, working_dir, environment = {} }: Hook) {
    const { exitCode, output } = await runInContainer(await this.#call.session.client(), id, {
      Cmd: command ?? [],
      User: user ?? '',
      Privileged: privileged ?? false,
      WorkingDir: working_dir ?? '',
      Env: Object.entries(environment).flatMap(([name, value]) =>
        value === null ? [] : [`${name}=${value}`],
      ),
    });
    for (const line of output.split('\n')) if (line !== '') this.#options.say(line);
    if (exitCode !== 0) this.#options.say(`exec exited with code ${exitCode}`);
  }

  async #rebuild(services: readonly string[]): Promise<void> {
    const { quiet, prune, say, block, onReplacing, onReplaced, onStarted } = this.#options;
    const names = services.map(name => JSON.stringify(name)).join(' ');
    say(`Rebuilding service(s) [${names}] after changes were detected...`);
    const before = await this.#imageIds(services);
    const { session } = this.#call;
    const flags = ['--build', '--no-deps', '--force-recreate', ...(quiet ? ['--quiet-build'] : [])];
    const call: Call = {
      ...this.#call,
      args: [...services],
      flags: parseFlags(declareFlags(createCommand.flags), flags, true).values,
    };
    const progress = openProgress(call, 'Running', block ?? new LiveBlock(session.err));
    try {
      await bringUp(call, true, {
        progress,
        signal: new AbortController().signal,
        onPlan: () => onReplacing?.(services),
        ...(onStarted === undefined ? {} : { onStarted }),
      });
    } finally {
      progress.end();
      onReplaced?.();
    }
    say(`service(s) [${names}] successfully built`);
    if (prune) await this.#removeUnnamed(before);
  }

  async #containers(service: string, wanted = isRunning): Promise<ServiceContainer[]> {
    const { session, groupFlags } = this.#call;
    const { containers } = await projectContainers(session, groupFlags, [service]);
    return containers.filter(wanted);
  }

  async #imageIds(services: readonly string[]): Promise<Set<string>> {
    const containers = await Promise.all(services.map(service => this.#containers(service, () => true)));
    return new Set(containers.flat().map(({ summary }) => summary.ImageID));
  }

  /** Of these images those that have no name any more. What something still uses stays. */
  async #removeUnnamed(ids: ReadonlySet<string>): Promise<void> {
    const client = await this.#call.session.client();
    for (const name of ids) {
      try {
        const { RepoTags } = await perform(client, imageOperations.inspect, { path: { name } });
        if ((RepoTags ?? []).length === 0) await act(client, imageOperations.remove, { path: { name } });
      } catch {
        // Gone already, or in use.
      }
    }
  }
}
