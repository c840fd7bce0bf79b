import { encodeHeader, encodePadding } from '../../src/archive/tar-writer.ts';
import { type Expected, type Kind, verify } from './crash-expectations.ts';
import type { Random } from './random.ts';
import { type RawAnswer, type RawApi, Unanswered } from './raw-api.ts';

/** A client that does one thing after the other, each chosen by chance, and remembers what it was told. */
export class LoadWorker {
  readonly expected = new Map<string, Expected>();
  readonly failures: string[] = [];
  /** How often each kind of thing was done and answered. */
  readonly done = new Map<string, number>();
  readonly #api: RawApi;
  readonly #random: Random;
  readonly #label: string;
  #made = 0;

  constructor(api: RawApi, random: Random, label: string) {
    this.#api = api;
    this.#random = random;
    this.#label = label;
  }

  /** Works until the daemon is gone. */
  async workUntilCut(): Promise<void> {
    for (;;) {
      const [name, action] = this.#choose();
      try {
        await action();
        this.done.set(name, (this.done.get(name) ?? 0) + 1);
      } catch (error) {
        if (error instanceof Unanswered) return;
        throw error;
      }
    }
  }

  /** Compares what it was told with what is. Returns what is wrong. */
  async verify(): Promise<string[]> {
    const wrong: string[] = [];
    for (const expected of [...this.expected.values()]) {
      wrong.push(...(await verify(this.#api, expected)));
      if (expected.there === 'no') this.expected.delete(expected.name);
    }
    return [...this.failures.splice(0), ...wrong];
  }

  #choose(): [string, () => Promise<void>] {
    const choices: [string, number, () => Promise<void>][] = [
      ['create', 5, () => this.#create()],
      ['start', 6, () => this.#start()],
      ['stop', 3, () => this.#stop()],
      ['kill', 2, () => this.#kill()],
      ['rm', 4, () => this.#remove()],
      ['restart', 1, () => this.#restart()],
      ['pause', 1, () => this.#pause()],
      ['exec', 3, () => this.#exec()],
      ['logs', 1, () => this.#onAny(name => this.#ask('GET', `/containers/${name}/logs?stdout=1&tail=5`))],
      ['update', 1, () => this.#update()],
      ['edit', 2, () => this.#edit()],
      ['wait', 2, () => this.#wait()],
      ['rename', 1, () => this.#rename()],
      ['cp', 1, () => this.#onAny(name => this.#copy(name))],
      ['commit', 1, () => this.#commit()],
      ['network', 2, () => this.#network()],
      ['volume', 1, () => this.#volume()],
      ['build', 1, () => this.#build()],
      ['pull', 1, () => this.#pull()],
    ];
    let at = this.#random.below(choices.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [name, weight, action] of choices) {
      at -= weight;
      if (at < 0) return [name, action];
    }
    throw new Error('weights do not add up');
  }

  async #create(): Promise<void> {
    if (this.expected.size >= 5) return this.#remove();
    const name = `${this.#label}-${++this.#made}`;
    const kind = this.#random.pick<Kind>([
      'stays',
      'stays',
      'checked',
      'ends',
      'ends',
      'ends',
      'loops',
      'sick',
    ]);
    const exitCode = this.#random.pick([3, 7]);
    const expected: Expected = { name, kind, there: 'maybe', run: 'stopped', exitCode, words: ['old'] };
    this.expected.set(name, expected);
    await this.#ask('POST', `/containers/create?name=${name}`, {
      Image: 'busybox',
      Cmd: this.#program(expected),
      Env: ['WORD=old'],
      StopSignal: 'SIGKILL',
      ...this.#health(kind),
      HostConfig: {
        PortBindings: this.#random.below(2) === 0 ? { '80/tcp': [{ HostPort: '' }] } : {},
        Binds: this.#random.below(3) === 0 ? ['/anonymous'] : [],
        RestartPolicy: { Name: kind === 'ends' ? 'no' : 'unless-stopped' },
        UsernsMode: this.#random.below(3) === 0 ? '' : 'host',
      },
    });
    expected.there = 'yes';
  }

  #program({ kind, exitCode }: Expected): string[] {
    const seconds = `0.${1 + this.#random.below(6)}`;
    if (kind === 'ends') return ['sh', '-c', `echo first; sleep ${seconds}; echo last; exit ${exitCode}`];
    return kind === 'loops' ? ['sh', '-c', `sleep ${seconds}; exit 1`] : ['sleep', '100000'];
  }

  #health(kind: Kind): object {
    if (kind === 'checked') {
      return { Healthcheck: { Test: ['CMD', 'true'], Interval: 5e8, Timeout: 60e9 } };
    }
    if (kind !== 'sick') return {};
    return {
      Healthcheck: { Test: ['CMD', 'false'], Interval: 3e8, Retries: 1 },
      Labels: { 'io.gantry.health-on-failure': 'restart' },
    };
  }

  async #start(): Promise<void> {
    await this.#onAny(async (name, expected) => {
      const before = expected.run;
      expected.run = 'maybe';
      await this.#ask('POST', `/containers/${name}/start`, undefined, [304]);
      expected.run =
        expected.kind === 'ends' && before !== 'stopped' && before !== 'running' ? 'maybe' : 'running';
    });
  }

  async #stop(): Promise<void> {
    await this.#end(name => this.#ask('POST', `/containers/${name}/stop?t=0`, undefined, [304]));
  }

  async #kill(): Promise<void> {
    await this.#end(name => this.#ask('POST', `/containers/${name}/kill`, undefined, [409]));
  }

  async #end(work: (name: string) => Promise<unknown>): Promise<void> {
    await this.#onAny(async (name, expected) => {
      expected.run = 'maybe';
      await work(name);
      expected.run = 'stopped';
    });
  }

  async #restart(): Promise<void> {
    await this.#onAny(async (name, expected) => {
      expected.run = 'maybe';
      await this.#ask('POST', `/containers/${name}/restart?t=0`);
      expected.run = 'running';
    });
  }

  async #pause(): Promise<void> {
    await this.#onAny(async (name, { kind, run }) => {
      if (kind !== 'stays' || run !== 'running') return;
      await this.#ask('POST', `/containers/${name}/pause`, undefined, [409]);
      await this.#ask('POST', `/containers/${name}/unpause`, undefined, [409]);
    });
  }

  async #remove(): Promise<void> {
    await this.#onAny(async (name, expected) => {
      expected.there = 'maybe';
      expected.run = 'maybe';
      await this.#ask('DELETE', `/containers/${name}?force=1&v=1`);
      expected.there = 'no';
      // It is asked for once more at the next start, and then forgotten.
    });
  }

  async #exec(): Promise<void> {
    await this.#onAny(async name => {
      const Cmd = ['sh', '-c', 'sleep 0.2; exit 3'];
      const created = await this.#ask('POST', `/containers/${name}/exec`, { Cmd }, [409]);
      if (created.status !== 201) return;
      const { Id } = JSON.parse(created.text) as { Id: string };
      await this.#ask('POST', `/exec/${Id}/start`, { Detach: true }, [404, 409]);
    });
  }

  async #update(): Promise<void> {
    await this.#onAny(name =>
      this.#ask('POST', `/containers/${name}/update`, { CpuShares: 100 + this.#random.below(900) }),
    );
  }

  /** One that runs and cannot go on with it runs again as it did. */
  async #edit(): Promise<void> {
    await this.#onAny(async (name, expected) => {
      const word = `new${++this.#made}`;
      if (expected.kind === 'ends') expected.run = 'maybe';
      expected.words.push(word);
      await this.#ask('POST', `/gantry/containers/${name}/edit`, { Env: [`WORD=${word}`] });
      expected.words = [word];
    });
  }

  async #wait(): Promise<void> {
    await this.#onAny(async (name, { kind, run, exitCode }) => {
      if (kind !== 'ends' || run !== 'running') return;
      const { text } = await this.#ask('POST', `/containers/${name}/wait`);
      if (!text.includes(`"StatusCode":${exitCode}`)) this.failures.push(`wait ${name}: ${text}`);
    });
  }

  async #rename(): Promise<void> {
    await this.#onAny(async (name, expected) => {
      const other: Expected = { ...expected, name: `${this.#label}-${++this.#made}` };
      expected.there = 'maybe';
      this.expected.set(other.name, { ...other, there: 'maybe' });
      await this.#ask('POST', `/containers/${name}/rename?name=${other.name}`);
      this.expected.delete(name);
      this.expected.set(other.name, other);
    });
  }

  async #copy(name: string): Promise<void> {
    await this.#ask('PUT', `/containers/${name}/archive?path=/tmp`, tarOf('copied', 'content'));
  }

  async #commit(): Promise<void> {
    const tag = `${this.#label}-commit`;
    await this.#onAny(async name => {
      await this.#ask('POST', `/commit?container=${name}&repo=${tag}`);
      await this.#ask('DELETE', `/images/${tag}`);
    });
  }

  async #network(): Promise<void> {
    const network = `${this.#label}-net`;
    await this.#ask('POST', '/networks/create', { Name: network }, [409]);
    await this.#onAny(async (name, { kind, run }) => {
      if ((kind !== 'stays' && kind !== 'checked') || run !== 'running') return;
      const Container = name;
      await this.#ask('POST', `/networks/${network}/connect`, { Container }, [403]);
      await this.#ask('POST', `/networks/${network}/disconnect`, { Container }, [403]);
    });
    await this.#ask('DELETE', `/networks/${network}`, undefined, [403]);
  }

  async #volume(): Promise<void> {
    const Name = `${this.#label}-volume`;
    await this.#ask('POST', '/volumes/create', { Name });
    await this.#ask('DELETE', `/volumes/${Name}`);
  }

  async #build(): Promise<void> {
    const tag = `${this.#label}-built`;
    const dockerfile = `FROM busybox\nRUN head -c 300000 /dev/urandom > /a\nRUN echo ${this.#random.below(4)} > /b\n`;
    const path = `/build?t=${tag}&nocache=${this.#random.below(2)}`;
    const { text } = await this.#ask('POST', path, tarOf('Dockerfile', dockerfile));
    if (!text.includes('Successfully built')) this.failures.push(`build: ${text}`);
    await this.#ask('DELETE', `/images/${tag}`, undefined, [404]);
  }

  async #pull(): Promise<void> {
    const image = 'localhost:5000/big';
    const { text } = await this.#ask('POST', `/images/create?fromImage=${image}&tag=latest`);
    if (/"error"/.test(text)) this.failures.push(`pull: ${text}`);
    await this.#ask('DELETE', `/images/${image}`, undefined, [404, 409]);
  }

  /** On one of those that are known to be there. */
  async #onAny(work: (name: string, expected: Expected) => Promise<unknown>): Promise<void> {
    const there = [...this.expected.values()].filter(expected => expected.there === 'yes');
    if (there.length === 0) return;
    const expected = this.#random.pick(there);
    await work(expected.name, expected);
  }

  /** Statuses other than success and `also` are failures: whatever was cut off before, things can be done. */
  async #ask(method: string, path: string, body?: object | Buffer, also: number[] = []): Promise<RawAnswer> {
    const answer = await this.#api.ask(method, path, body);
    if (answer.status >= 300 && !also.includes(answer.status)) {
      this.failures.push(`${method} ${path}: ${answer.status} ${answer.text.trim()}`);
    }
    return answer;
  }
}

/** An archive of one file. */
function tarOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = encodeHeader({ name, type: 'file', mode: 0o644, size: content.length });
  return Buffer.concat([header, content, encodePadding(content.length), Buffer.alloc(1024)]);
}
