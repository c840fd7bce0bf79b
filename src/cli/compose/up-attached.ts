import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { observe } from '../../compose/observe.ts';
import { planDown } from '../../compose/plan/down.ts';
import { containerName, scaleOf, servicesInOrder } from '../../compose/plan/up.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { type BroughtUp, bringUp } from './bring-up.ts';
import { carryOut } from './carry-out.ts';
import { printLog } from './follow-logs.ts';
import { LineWriter, LogLines } from './log-lines.ts';
import { LiveBlock } from './progress/live-block.ts';
import { coloursOutput, openProgress } from './progress/open-progress.ts';
import { scales } from './up-options.ts';

/** 128 and SIGINT. */
const interruptedStatus = 130;

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
  readonly #starting = new AbortController();
  readonly #followed = new Map<string, Promise<void>>();
  #bringing: Promise<unknown> = Promise.resolve();
  readonly #block: LiveBlock;
  #up: BroughtUp | undefined;
  #lines: LogLines | undefined;
  #attached = new Set<string>();
  #stopping: Promise<void> | undefined;
  #interrupted = false;
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
      const progress = openProgress(this.#call, 'Running', this.#block);
      this.#bringing = bringUp(this.#call, true, {
        progress,
        signal: this.#starting.signal,
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
      await this.#untilAllEnded();
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
    await this.#stopping;
    if (this.#interrupted) return interruptedStatus;
    return this.#status ?? 0;
  }

  #prepare(up: BroughtUp): void {
    this.#up = up;
    const { flags, args, session } = this.#call;
    const { project } = up;
    const from = flags.given('exit-code-from');
    if (from !== undefined && project.services[from] === undefined)
      throw new EngineError('notFound', `no such service: ${from}`);
    const only = flags.list('attach');
    const without = flags.list('no-attach');
    const all = servicesInOrder(project, args, !flags.on('no-deps'));
    const asked = args.length === 0 || flags.on('attach-dependencies') ? all : args;
    const attached = (only.length > 0 ? only : asked).filter(
      name => !without.includes(name) && (only.includes(name) || project.services[name]?.attach !== false),
    );
    const counts = scales(flags.list('scale'), project);
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
    for (const { name, running } of this.#up!.observed.containers)
      if (running && this.#attached.has(name) && !this.#followed.has(name)) this.#follow(name, Date.now());
  }

  #follow(name: string, sinceMs?: number): void {
    this.#followed.set(name, this.#followToTheEnd(name, sinceMs));
  }

  async #followToTheEnd(name: string, sinceMs: number | undefined): Promise<void> {
    const { session, flags } = this.#call;
    const shown = this.#shown(name);
    const isShown = this.#attached.has(name);
    const lines = isShown ? this.#lines! : { writer: () => new LineWriter(() => {}) };
    const code = await printLog(session, { id: name, shown }, lines, {
      follow: true,
      tail: isShown ? 'all' : '0',
      timestamps: flags.on('timestamps'),
      since: sinceMs === undefined ? undefined : String(sinceMs / 1000),
    });
    if (isShown) this.#lines!.say(`${shown} exited with code ${code}`);
    this.#ended(name, code ?? 0);
  }

  /** Lines of a hook have an arrow behind the container's name. */
  #hookOutput(name: string): LineWriter {
    return this.#attached.has(name)
      ? this.#lines!.writer(`${this.#shown(name)} ->`)
      : new LineWriter(() => {});
  }

  #ended(name: string, code: number): void {
    const { flags } = this.#call;
    const from = flags.given('exit-code-from');
    const isFrom = from !== undefined && containerNames(this.#up!.project, from, 1000).includes(name);
    if (isFrom) this.#status = code;
    const aborts =
      flags.on('abort-on-container-exit') ||
      from !== undefined ||
      (flags.on('abort-on-container-failure') && code !== 0);
    if (!aborts || this.#stopping !== undefined) return;
    if (from === undefined) this.#status ??= code;
    this.#call.session.err.line('Aborting on container exit...');
    this.#stopping = this.#stop();
  }

  async #untilAllEnded(): Promise<void> {
    let count = 0;
    // Restarted ones are followed by who followed them before; new ones may have come.
    while (count !== this.#followed.size) {
      count = this.#followed.size;
      await Promise.all(this.#followed.values());
    }
  }

  #interrupt(): void {
    this.#interrupted = true;
    if (this.#stopping !== undefined) {
      void this.#kill();
      return;
    }
    this.#call.session.err.line('Gracefully stopping... (press Ctrl+C again to force)');
    this.#stopping = this.#stop();
  }

  async #stop(): Promise<void> {
    // What is being started is waited for: it would be overlooked. If that failed, its waiter says so.
    this.#starting.abort();
    await Promise.allSettled([this.#bringing]);
    if (this.#up === undefined) return;
    const { session, flags, args } = this.#call;
    const { project } = this.#up;
    const observed = await observe(await session.client(), project.name, project);
    const services = args.length === 0 ? [] : servicesInOrder(project, args, !flags.on('no-deps'));
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
    const client = await this.#call.session.client();
    const kills = [...this.#followed.keys()].map(id =>
      act(client, containerOperations.kill, { path: { id } }),
    );
    // Those that have ended meanwhile refuse.
    await Promise.allSettled(kills);
  }
}

function containerNames(project: Project, service: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => containerName(project, service, at + 1));
}
