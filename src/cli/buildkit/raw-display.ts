import { timeMsOf } from '../../api/buildkit/well-known.ts';
import { BuildStatus } from './status.ts';

type Message = Parameters<BuildStatus['add']>[0];

/** `--progress rawjson`: a line of JSON for each message, with the names that BuildKit's Go types have. */
export class RawDisplay {
  readonly status = new BuildStatus();
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  add(message: Message): void {
    this.status.add(message);
    this.#write(`${JSON.stringify(rawMessage(message))}\n`);
  }

  end(): void {}
}

/** Draws nothing. */
export class QuietDisplay {
  readonly status = new BuildStatus();

  add(message: Message): void {
    this.status.add(message);
  }

  end(): void {}
}

function rawMessage({ vertexes, statuses, logs, warnings }: Message): object {
  return without({
    vertexes: vertexes.map(vertex =>
      without({
        digest: vertex.digest,
        inputs: vertex.inputs,
        name: vertex.name,
        started: timeOf(vertex.started),
        completed: timeOf(vertex.completed),
        cached: vertex.cached,
        error: vertex.error,
      }),
    ),
    statuses: statuses.map(status =>
      without({
        id: status.id,
        vertex: status.vertex,
        name: status.name,
        total: status.total,
        current: status.current,
        timestamp: timeOf(status.timestamp),
        started: timeOf(status.started),
        completed: timeOf(status.completed),
      }),
    ),
    logs: logs.map(log =>
      without({
        vertex: log.vertex,
        stream: log.stream,
        data: log.data.toString('base64'),
        timestamp: timeOf(log.timestamp),
      }),
    ),
    warnings: warnings.map(warning =>
      without({
        vertex: warning.vertex,
        level: warning.level,
        short: warning.short.toString('base64'),
        detail: warning.detail.map(text => text.toString('base64')),
        url: warning.url,
        sourceInfo: warning.info && {
          filename: warning.info.filename,
          data: warning.info.data.toString('base64'),
          language: warning.info.language,
        },
        range: warning.ranges,
      }),
    ),
  });
}

/** Go's omitempty. */
function without(value: Record<string, unknown>): object {
  const isEmpty = (one: unknown): boolean =>
    one === undefined || one === '' || one === 0 || one === false || (Array.isArray(one) && one.length === 0);
  return Object.fromEntries(Object.entries(value).filter(([, one]) => !isEmpty(one)));
}

function timeOf(timestamp: Parameters<typeof timeMsOf>[0] | undefined): string | undefined {
  return timestamp === undefined ? undefined : new Date(timeMsOf(timestamp)).toISOString();
}
