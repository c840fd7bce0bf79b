import type { BuildExport } from '../../build/export/export.ts';
import { kindOf } from '../../stdx/errors.ts';
import type { Services } from '../call.ts';
import type { Exporter } from './exporters.ts';

/**
 * Results that other builds take as their contexts while this one is under way (bake's `target:`). They are images, so
 * a build that is not for the image store has its result there, too, without a name, until it ends.
 */
export class ReferencedImages {
  readonly #services: Services;
  readonly #needed: boolean;
  #before: ReadonlySet<string> = new Set();
  readonly #made: string[] = [];

  constructor(services: Services, exporters: readonly Exporter[]) {
    this.#services = services;
    this.#needed = !exporters.some(({ type }) => type === 'moby' || type === 'image');
  }

  /** What a build has to export besides what it is asked for. */
  exports(): BuildExport[] {
    if (!this.#needed) return [];
    this.#before = new Set(this.#services.engine.imageStore.list().map(({ id }) => id));
    return [{ type: 'image', attributes: {} }];
  }

  made(imageId: string): void {
    this.#made.push(imageId);
  }

  /** Removes what was not there before and has got no name meanwhile. */
  async drop(): Promise<void> {
    if (!this.#needed) return;
    const { imageStore, images } = this.#services.engine;
    for (const imageId of this.#made) {
      const image = imageStore.find(imageId);
      if (image === undefined || image.references.length > 0 || this.#before.has(imageId)) continue;
      try {
        await images.remove(imageId, { force: false, noPrune: true });
      } catch (error) {
        // An image that was made of it, or a container, has it now.
        if (kindOf(error) !== 'conflict' && kindOf(error) !== 'notFound') throw error;
      }
    }
  }
}
