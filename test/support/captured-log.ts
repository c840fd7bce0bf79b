import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listSegments, segmentPath } from '../../src/runtime/logs/log-segments.ts';
import type { FollowRequest } from '../../src/runtime/logs/worker/messages.ts';

/** The captured log of a container that does not exist, written as the monitor writes it. */
export class CapturedLog {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'gantry-log-'));
  readonly path: string = join(this.directory, 'log');
  readonly id = 'c0ffee'.padEnd(64, '0');

  constructor() {
    writeFileSync(this.path, '');
  }

  /** Whole lines of stdout, or records as they are: `stderr F text`. */
  write(...lines: string[]): void {
    const text = lines.map(
      line => `${this.#time()} ${/^std(out|err) [FP] /.test(line) ? line : `stdout F ${line}`}\n`,
    );
    appendFileSync(this.path, text.join(''));
  }

  rotate(): void {
    renameSync(this.path, segmentPath(this.path, listSegments(this.path).currentNumber));
    writeFileSync(this.path, '');
  }

  request(driver: string, options: Record<string, string>, running = true): FollowRequest {
    return {
      id: this.id,
      driver,
      options,
      running,
      logPath: this.path,
      jsonPath: join(this.directory, 'json.log'),
      positionPath: join(this.directory, 'log-position'),
      source: {
        id: this.id,
        name: 'web',
        imageId: `sha256:${'1'.repeat(64)}`,
        imageName: 'busybox',
        entrypoint: 'sh',
        args: ['-c', 'true'],
        createdAtMs: 0,
        env: ['COLOUR=red'],
        labels: { 'a.team': 'core' },
        hostName: 'host',
        daemonName: 'docker',
      },
    };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #count = 0;

  #time(): string {
    return `2026-11-21T05:12:33.${String(++this.#count).padStart(9, '0')}+00:00`;
  }
}
