import type { ProgressMessage } from '../../../api/images.ts';
import { inspectInRegistry } from '../../inspect-in-registry.ts';
import { StreamError } from '../../output/progress.ts';
import { pullImage } from '../../pull-image.ts';
import type { Session } from '../../session.ts';
import type { Progress } from './progress.ts';

/** Pulls a service's image; its layers are told below the service, unless `quiet`. @throws what went wrong */
export async function pullForService(
  session: Session,
  service: string,
  reference: string,
  { platform, quiet, progress }: { platform: string; quiet: boolean; progress: Progress },
): Promise<void> {
  progress.tell({ id: service, status: 'Pulling', state: 'working' });
  try {
    const display = new PullDisplay(progress, service, quiet);
    if (session.dryRun) await inspectInRegistry(session, reference);
    else await pullImage(session, reference, { platform, quiet, to: session.err, display });
  } catch (error) {
    progress.tell({ id: service, status: 'Error', state: 'failed' });
    throw error;
  }
  progress.tell({ id: service, status: 'Pulled', state: 'done' });
}

class PullDisplay {
  readonly #progress: Progress;
  readonly #service: string;
  readonly #quiet: boolean;

  constructor(progress: Progress, service: string, quiet: boolean) {
    this.#progress = progress;
    this.#service = service;
    this.#quiet = quiet;
  }

  /** @throws the error a message carries */
  show({ id, status, progressDetail, error, errorDetail }: ProgressMessage): void {
    const fault = error ?? errorDetail?.message;
    if (fault !== undefined) throw new StreamError(fault, errorDetail?.code);
    if (this.#quiet || id === undefined || status === undefined || progressDetail === undefined) return;
    const done = /^(Pull complete|Already exists)/.test(status);
    this.#progress.tell({
      id,
      parent: this.#service,
      status,
      state: done ? 'done' : 'working',
      current: progressDetail.current ?? 0,
      total: progressDetail.total ?? 0,
    });
  }
}
