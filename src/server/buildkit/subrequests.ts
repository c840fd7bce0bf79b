import type { Builder } from '../../build/builder.ts';
import { EngineError } from '../../stdx/errors.ts';

type Check = Awaited<ReturnType<Builder['check']>>;

/** Questions that a frontend answers instead of building (`--call`), with the version of their answers. */
const versions = { lint: '1.0.0', describe: '1.0.0' };

/** @throws EngineError `notImplemented` */
export function subrequest(name: string, check?: Check): { metadata: Map<string, Buffer> } {
  const answer = (json: unknown, text: string, version: string, statusCode?: number) => ({
    metadata: new Map(
      Object.entries({
        'result.json': JSON.stringify(json),
        'result.txt': text,
        version,
        ...(statusCode === undefined ? {} : { 'result.statuscode': String(statusCode) }),
      }).map(([key, value]) => [key, Buffer.from(value)]),
    ),
  });
  if (name === 'frontend.lint' && check !== undefined) {
    const { report, text } = check;
    const failed = report.warnings !== null || report.buildError !== undefined;
    return answer(report, text, versions.lint, failed ? 1 : 0);
  }
  if (name === 'frontend.subrequests.describe') {
    const requests = [
      { name: 'frontend.lint', version: versions.lint, type: 'rpc', description: 'Lint a Dockerfile' },
      { name, version: versions.describe, type: 'rpc', description: 'List available subrequest types' },
    ];
    const lines = requests.map(one => `${one.name.padEnd(30)} ${one.version.padEnd(8)} ${one.description}`);
    return answer(
      requests,
      `${['NAME'.padEnd(30), 'VERSION ', 'DESCRIPTION'].join(' ')}\n${lines.join('\n')}\n`,
      versions.describe,
    );
  }
  throw new EngineError('notImplemented', `unsupported subrequest ${name}`);
}
