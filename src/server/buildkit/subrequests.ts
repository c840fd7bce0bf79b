import type { Builder } from '../../build/builder.ts';
import type { BuildOutput } from '../../build/events.ts';
import type { BuildRequest } from '../../build/request.ts';
import { EngineError } from '../../stdx/errors.ts';

/** Questions that a frontend answers instead of building (`--call`). */
interface Subrequest {
  description: string;
  opts?: { name: string; description: string }[];
  answer(
    builder: Builder,
    request: BuildRequest,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<{ json: unknown; text: string; statusCode?: number }>;
}

/** Of all answers. */
const version = '1.0.0';
const describeName = 'frontend.subrequests.describe';

const subrequests: Record<string, Subrequest> = {
  'frontend.outline': {
    description: 'List all parameters current build target supports',
    opts: [{ name: 'target', description: 'Target build stage' }],
    async answer(builder, request, output, signal) {
      const { outline, text } = await builder.outline(request, output, signal);
      return { json: outline, text };
    },
  },
  'frontend.targets': {
    description: 'List all targets current build supports',
    opts: [],
    async answer(builder, request, _output, signal) {
      const { list, text } = await builder.targets(request, signal);
      return { json: list, text };
    },
  },
  'frontend.lint': {
    description: 'Lint a Dockerfile',
    opts: [],
    async answer(builder, request, _output, signal) {
      const { report, text } = await builder.check(request, signal);
      const failed = report.warnings !== null || report.buildError !== undefined;
      return { json: report, text, statusCode: failed ? 1 : 0 };
    },
  },
  [describeName]: {
    description: 'List available subrequest types',
    answer: async () => ({ json: described(), text: describedText() }),
  },
};

/** One that needs none of the build's files: they are not asked for. */
export function needsFiles(name: string): boolean {
  return name !== describeName;
}

/** @throws EngineError `invalid` for a question that nobody knows */
export function checkSubrequest(name: string): void {
  if (name !== '' && subrequests[name] === undefined)
    throw new EngineError('invalid', `unsupported request ${name}`);
}

export async function answerSubrequest(
  name: string,
  ...[builder, request, output, signal]: Parameters<Subrequest['answer']>
): Promise<{ metadata: Map<string, Buffer> }> {
  const { json, text, statusCode } = await subrequests[name]!.answer(builder, request, output, signal);
  const metadata = {
    'result.json': JSON.stringify(json, undefined, 2),
    'result.txt': text,
    version,
    ...(statusCode === undefined ? {} : { 'result.statuscode': String(statusCode) }),
  };
  return {
    metadata: new Map(Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)])),
  };
}

/** Under the names and with the nulls of BuildKit's own. */
function described() {
  const metadata = ['result.json', 'result.txt'].map(name => ({ name, description: '' }));
  return Object.entries(subrequests).map(([name, { description, opts = null }]) => {
    return { name, version, type: 'rpc', description, opts, inputs: null, metadata, refs: null };
  });
}

function describedText(): string {
  const short = (name: string): string => name.replace('frontend.', '');
  const width = Math.max(...Object.keys(subrequests).map(name => short(name).length)) + 1;
  const line = (...[name = '', ofVersion = '', description = '']: string[]) =>
    `${name.padEnd(width)}${ofVersion.padEnd('VERSION '.length)}${description}\n`;
  const lines = Object.entries(subrequests).map(([name, { description }]) =>
    line(short(name), version, description),
  );
  return [line('NAME', 'VERSION', 'DESCRIPTION'), ...lines].join('');
}
