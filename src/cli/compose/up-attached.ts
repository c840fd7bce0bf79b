import { styleText } from 'node:util';
import type { ContainerInspect } from '../../api/containers.ts';
import type { Client } from '../../client/client.ts';
import { act, encodeFilters, follow, perform } from '../../client/operation.ts';
import { containerOperations, systemOperations } from '../../client/operations.ts';
import { composeLabels } from '../../compose/labels.ts';
import { containerName } from '../../compose/names.ts';
import { observe } from '../../compose/observe.ts';
import { planDown } from '../../compose/plan/down.ts';
import { scaleOf, servicesInOrder } from '../../compose/plan/up.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError, kindOf, messageOf } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { type BroughtUp, bringUp } from './bring-up.ts';
import { carryOut, interruptedStatus } from './carry-out.ts';
import { outputSince, printLog } from './follow-logs.ts';
import { KeyMenu } from './key-menu.ts';
import { LineWriter, LogLines } from './log-lines.ts';
import { LiveBlock } from './progress/live-block.ts';
import { coloursOutput, openProgress, progressMode } from './progress/open-progress.ts';
import { scales } from './up-options.ts';
import { ProjectWatch } from './watch/project-watch.ts';
import { watchedRules } from './watch/rules.ts';

/**
 * Brings a project up and stays with it: the output of its services is shown until all have ended. The first Ctrl-C
 * stops them, the second kills them.
 * @returns the exit status
 */
export async function upAttached(call: Call): Promise<number> {
  return new AttachedProject(call).run();
}

class AttachedProject {
  readonly #call: Call;
  readonly #block: LiveBlock;
  readonly #starting = new AbortController();
  /** Ids of the containers that are followed. */
  readonly #followed = new Set<string>();
  /** When those that were followed to an end had been started, or '' when they run again, and when they ended. By id. */
  readonly #seen = new Map<string, { startedAt: string; finishedAt: string }>();
  /** Services whose containers a watch ends and starts again. */
  readonly #replacing = new Set<string>();
  /** Each follows one container until it has ended for good. */
  readonly #following: Promise<void>[] = [];
  /** Settles when nothing holds the client any more although containers run. */
  readonly #leaving = Promise.withResolvers<'detached' | 'interrupted'>();
  #bringing: Promise<unknown> = Promise.resolve();
  #up: BroughtUp | undefined;
  #lines: LogLines | undefined;
  /** Names of containers whose output is shown. */
  #attached = new Set<string>();
  #attachedServices = new Set<string>();
  #watch: ProjectWatch | undefined;
  #watchEnded = Promise.withResolvers<void>();
  #menu: KeyMenu | undefined;
  #stopping: Promise<void> | undefined;
  #interrupted = false;
  #saidAttaching = false;
  /** The status that a service's end gave the whole. */
  #status: number | undefined;

  constructor(call: Call) {
    this.#call = call;
    this.#block = new LiveBlock(call.session.err);
  }

  async run(): Promise<number> {
    const onSignal = () => this.#interrupt();
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      const left = await Promise.race([this.#leaving.promise, this.#runToTheEnd()]);
      if (left === 'detached') return 0;
      await this.#stopping;
    } catch (error) {
      // What was cut short is no fault.
      if (this.#stopping === undefined) throw error;
      await this.#stopping;
    } finally {
      this.#menu?.close();
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
    if (this.#interrupted) return interruptedStatus;
    return this.#status ?? 0;
  }

  async #runToTheEnd(): Promise<void> {
    const progress = openProgress(this.#call, 'Running', this.#block);
    this.#bringing = bringUp(this.#call, true, {
      progress,
      signal: this.#starting.signal,
      onLoaded: ({ project }) => this.#refuseWhatCannotBe(project),
      onPlan: up => this.#prepare(up),
      onStarted: name => this.#follow(name),
      hookOutput: name => this.#hookOutput(name),
    });
    try {
      await this.#bringing;
    } finally {
      progress.end();
    }
    this.#followRunning();
    void this.#followStarts();
    if (this.#stopping === undefined) {
      if (this.#call.flags.on('watch')) this.#startWatch();
      this.#openMenu();
    }
    await this.#untilAllEnded();
  }

  #refuseWhatCannotBe(project: Project): void {
    const { flags } = this.#call;
    const from = flags.given('exit-code-from');
    if (from !== undefined && project.services[from] === undefined)
      throw new EngineError('notFound', `no such service: ${from}`);
    const all = this.#servicesOf(project);
    if (from !== undefined && !all.includes(from))
      throw new EngineError('notFound', `no such service: ${from}: disabled`);
    const outside = flags.list('attach').filter(name => !all.includes(name));
    if (outside.length > 0)
      throw new EngineError('invalid', `cannot attach to services not included in up: ${outside.join(', ')}`);
    if (flags.on('watch')) watchedRules(project, all);
  }

  #prepare(up: BroughtUp): void {
    this.#up = up;
    const { flags, args, session } = this.#call;
    const { project } = up;
    const all = this.#services();
    const only = flags.list('attach');
    const without = flags.list('no-attach');
    const asked = args.length === 0 || flags.on('attach-dependencies') ? all : args;
    const attached = (only.length > 0 ? only : asked).filter(
      name => !without.includes(name) && (only.includes(name) || project.services[name]?.attach !== false),
    );
    const counts = scales(flags.list('scale'), project);
    this.#attachedServices = new Set(attached);
    this.#attached = new Set(
      attached.flatMap(name => containerNames(project, name, scaleOf(name, project.services[name]!, counts))),
    );
    const shown = [...this.#attached].map(name => this.#shown(name));
    this.#lines = new LogLines(this.#block.beside(session.out), shown, {
      prefix: !flags.on('no-log-prefix'),
      colour: coloursOutput(this.#call),
    });
  }

  #shown(name: string): string {
    const prefix = `${this.#up!.project.name}-`;
    return name.startsWith(prefix) ? name.slice(prefix.length) : name;
  }

  /** Containers that ran before: their output from now on. */
  #followRunning(): void {
    for (const { name, id, running } of this.#up!.observed.containers)
      if (running && this.#attached.has(name) && !this.#followed.has(id)) this.#follow(name, Date.now());
  }

  /** Containers that somebody else starts again, or adds to a service. */
  async #followStarts(): Promise<void> {
    const { project } = this.#up!;
    const filters = encodeFilters(
      new Map([
        ['type', ['container']],
        ['event', ['start']],
        ['label', [`${composeLabels.project}=${project.name}`, `${composeLabels.oneOff}=False`]],
      ]),
    );
    const client = await this.#call.session.client();
    try {
      await follow(client, systemOperations.events, { query: { filters } }, ({ Actor: { Attributes } }) => {
        const { name = '', [composeLabels.service]: service = '' } = Attributes;
        if (!this.#attachedServices.has(service) || this.#stopping !== undefined) return;
        this.#attached.add(name);
        this.#follow(name);
      });
    } catch {
      // The daemon went; whoever follows a container says so.
    }
  }

  #follow(name: string, sinceMs?: number): void {
    this.#sayAttaching();
    const following = this.#followByName(name, sinceMs);
    // It is looked at once all have been started.
    following.catch(() => {});
    this.#following.push(following);
  }

  async #followByName(name: string, sinceMs: number | undefined): Promise<void> {
    const client = await this.#call.session.client();
    const found = await lookAt(client, name);
    if (found === undefined) return;
    const { Id, State, Config } = found;
    const service = Config.Labels?.[composeLabels.service];
    // Who follows it goes on with it when it is started again.
    const seen = this.#seen.get(Id);
    if (this.#followed.has(Id) || seen?.startedAt === State.StartedAt) return;
    this.#followed.add(Id);
    const from = sinceMs === undefined ? undefined : String(sinceMs / 1000);
    const earlierEnd = seen?.finishedAt ?? (this.#wasThere(Id) ? State.FinishedAt : undefined);
    const since = from ?? (earlierEnd && outputSince(earlierEnd, State.StartedAt));
    const code = await this.#followToTheEnd(Id, name, since);
    // Otherwise it was removed, or another took its place.
    if (code !== undefined) this.#ended(service, code);
    const ended = await lookAt(client, Id);
    if (ended !== undefined) {
      const { Running, StartedAt, FinishedAt } = ended.State;
      this.#seen.set(Id, { startedAt: Running ? '' : StartedAt, finishedAt: FinishedAt });
    }
    this.#followed.delete(Id);
    // Whoever came to follow it between its end and this moment has gone again.
    if ((await lookAt(client, Id))?.State.Running && this.#stopping === undefined) this.#follow(name);
  }

  /** What it said in earlier lives is not of this `up`. */
  #wasThere(id: string): boolean {
    return this.#up!.observed.containers.some(container => container.id === id);
  }

  #sayAttaching(): void {
    if (this.#saidAttaching || this.#attached.size === 0) return;
    this.#saidAttaching = true;
    this.#lines!.say(`Attaching to ${[...this.#attached].map(name => this.#shown(name)).join(', ')}`);
  }

  async #followToTheEnd(id: string, name: string, since: string | undefined): Promise<number | undefined> {
    const { session, flags } = this.#call;
    const shown = this.#shown(name);
    const isShown = this.#attached.has(name);
    const lines = isShown ? this.#lines! : { writer: () => new LineWriter(() => {}) };
    const query = {
      follow: true,
      tail: isShown ? 'all' : '0',
      timestamps: flags.on('timestamps'),
      since,
    };
    const code = await printLog(session, { id, shown }, lines, query, exitCode => {
      if (isShown) this.#lines!.say(`${shown} exited with code ${exitCode} (restarting)`);
    });
    if (isShown && code !== undefined) this.#lines!.say(`${shown} exited with code ${code}`);
    return code;
  }

  /** Lines of a hook have an arrow behind the container's name. */
  #hookOutput(name: string): LineWriter {
    return this.#attached.has(name)
      ? this.#lines!.writer(`${this.#shown(name)} ->`)
      : new LineWriter(() => {});
  }

  #ended(service: string | undefined, code: number): void {
    if (service !== undefined && this.#replacing.has(service)) return;
    const { flags } = this.#call;
    const from = flags.given('exit-code-from');
    if (from !== undefined && from === service) this.#status = code;
    const aborts =
      flags.on('abort-on-container-exit') ||
      from !== undefined ||
      (flags.on('abort-on-container-failure') && code !== 0);
    if (!aborts || this.#stopping !== undefined) return;
    if (from === undefined) this.#status ??= code;
    this.#call.session.err.line('Aborting on container exit...');
    this.#stopping = this.#stop();
  }

  /** With a watch there is no end of itself: a change may start what has ended. */
  async #untilAllEnded(): Promise<void> {
    for (let count = -1; count !== this.#following.length || this.#watch !== undefined; ) {
      count = this.#following.length;
      await Promise.all(this.#following);
      if (this.#stopping !== undefined) return;
      if (this.#watch !== undefined) await this.#watchEnded.promise;
    }
  }

  #interrupt(): void {
    this.#menu?.hide();
    this.#interrupted = true;
    if (this.#stopping !== undefined) {
      void this.#kill();
      return;
    }
    this.#call.session.err.line('Gracefully Stopping... press Ctrl+C again to force');
    this.#watchEnded.resolve();
    // Nothing runs yet: what is pulled or built is given up with the connection.
    if (this.#up === undefined) this.#leaving.resolve('interrupted');
    this.#stopping = this.#stop();
  }

  #startWatch(): void {
    const { session, flags } = this.#call;
    const out = this.#block.beside(session.out);
    const mark = coloursOutput(this.#call) ? styleText('greenBright', '⦿', { validateStream: false }) : '⦿';
    try {
      this.#watch = new ProjectWatch(this.#call, watchedRules(this.#up!.project, this.#services()), {
        quiet: flags.on('quiet-build'),
        prune: true,
        say: line => out.line(`        ${mark} ${line}`),
        block: this.#block,
        onReplacing: services => {
          for (const service of services) this.#replacing.add(service);
        },
        onReplaced: () => this.#replacing.clear(),
        onStarted: name => this.#follow(name),
      });
      this.#watch.start();
    } catch (error) {
      this.#watch = undefined;
      if (flags.on('watch') && this.#menu === undefined) throw error;
      out.line(`        ${mark} ${messageOf(error)}`);
    }
  }

  #toggleWatch(): void {
    if (this.#watch === undefined) {
      this.#startWatch();
      return;
    }
    void this.#watch.close();
    this.#watch = undefined;
    this.#watchEnded.resolve();
    this.#watchEnded = Promise.withResolvers();
    this.#block.beside(this.#call.session.out).line('        ⦿ Watch disabled');
  }

  /** On a terminal, unless `--menu=false` or COMPOSE_MENU says otherwise. */
  #openMenu(): void {
    const { session, flags } = this.#call;
    const variable = session.env['COMPOSE_MENU'] ?? '';
    const wanted = flags.changed('menu') ? flags.on('menu') : !/^(0|f|false)$/i.test(variable);
    const isTerminal = session.input.isTerminal && session.err.isTerminal && session.out.isTerminal;
    if (!wanted || !isTerminal || progressMode(this.#call) !== 'tty') return;
    const actions = {
      isWatching: () => this.#watch !== undefined,
      toggleWatch: () => this.#toggleWatch(),
      detach: () => this.#leaving.resolve('detached'),
      interrupt: () => this.#interrupt(),
    };
    this.#menu = new KeyMenu(session.input, this.#block, actions, { colour: coloursOutput(this.#call) });
    this.#menu.open();
  }

  #services(): string[] {
    return this.#servicesOf(this.#up!.project);
  }

  #servicesOf(project: Project): string[] {
    const { flags, args } = this.#call;
    return servicesInOrder(project, args, !flags.on('no-deps'));
  }

  async #stop(): Promise<void> {
    // What is being started is waited for: it would be overlooked. If that failed, its waiter says so.
    this.#starting.abort();
    if (this.#up === undefined) return;
    await Promise.allSettled([this.#bringing, this.#watch?.close()]);
    const { session, flags, args } = this.#call;
    const { project } = this.#up;
    const observed = await observe(await session.client(), project.name, project);
    const services = args.length === 0 ? [] : this.#services();
    const plan = planDown(project.name, project, observed, {
      services,
      remove: false,
      removeOrphans: false,
      volumes: false,
    });
    const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
    const progress = openProgress(this.#call, 'Stopping', this.#block);
    const { signal } = new AbortController();
    try {
      await carryOut(session, this.#up, plan, { observed, stopTimeout, signal, progress });
    } finally {
      progress.end();
    }
  }

  async #kill(): Promise<void> {
    if (this.#up === undefined) return;
    const client = await this.#call.session.client();
    const { containers } = await observe(client, this.#up.project.name, this.#up.project);
    const services = this.#services();
    const kills = containers
      .filter(
        ({ service, running, paused, oneOff }) =>
          !oneOff && (running || paused) && services.includes(service),
      )
      .map(({ id }) => act(client, containerOperations.kill, { path: { id } }));
    // Those that have ended meanwhile refuse.
    await Promise.allSettled(kills);
  }
}

function containerNames(project: Project, service: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => containerName(project, service, at + 1));
}

/** @returns undefined when it is gone */
async function lookAt(client: Client, id: string): Promise<ContainerInspect | undefined> {
  try {
    return await perform(client, containerOperations.inspect, { path: { id } });
  } catch (error) {
    if (kindOf(error) === 'notFound') return undefined;
    throw error;
  }
}
