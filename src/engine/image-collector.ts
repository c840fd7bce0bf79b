import type { EngineContext } from './context.ts';
import type { EngineEvent } from './events.ts';

/** After something came: several images that come at once are looked at once. */
const settleMs = 2_000;
const everyMs = 60 * 60 * 1000;

/** Keeps images that no container uses within their budget, when the administrator has set one (`image-gc`). */
export class ImageCollector {
  readonly #context: EngineContext;
  readonly #collect: () => Promise<unknown>;
  readonly #unsubscribe: () => void;
  readonly #interval: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  /** @param collect removes what is too much, by the policy of the settings. */
  constructor(context: EngineContext, collect: () => Promise<unknown>) {
    this.#context = context;
    this.#collect = collect;
    this.#unsubscribe = context.events.watch(event => this.#onEvent(event));
    this.#interval = setInterval(() => this.#look(), everyMs).unref();
    this.#lookSoon();
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    clearInterval(this.#interval);
    clearTimeout(this.#soon);
    await this.#running;
  }

  #onEvent({ type, action, actor }: EngineEvent): void {
    const { images, containers } = this.#context;
    if (type === 'container' && (action === 'create' || action === 'destroy')) {
      const image = containers.find(actor.id)?.imageId ?? images.find(actor.attributes['image'] ?? '')?.id;
      if (image !== undefined) images.touch(image);
      if (action === 'destroy') this.#lookSoon();
    }
    if (type === 'daemon' && action === 'reload') this.#lookSoon();
    if (type === 'image' && ['pull', 'load', 'import', 'tag'].includes(action)) this.#lookSoon();
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#look();
    }, settleMs).unref();
  }

  #look(): void {
    if (this.#context.settings.imageCollection === undefined) return;
    this.#running = this.#running.then(async () => {
      try {
        await this.#collect();
      } catch (error) {
        this.#context.log.error({ err: error }, 'keeping images within their budget failed');
      }
    });
  }
}
