import type { Readable } from 'node:stream';
import { type BuildExplanation, explanationId } from '../../api/build.ts';
import type { BuildOutput } from '../../build/events.ts';
import type { BuildRequest } from '../../build/request.ts';
import { buildkitOf } from '../buildkit/buildkit.ts';
import type { Call, Route } from '../call.ts';
import { buildRequestFromQuery } from '../convert/build-request.ts';
import { orNull } from '../convert/host-config.ts';
import { Filters } from '../filters.ts';
import { ProgressStream } from '../progress-stream.ts';
import { allCredentialsOf } from '../registry-credentials.ts';
import { isRepositoryUrl, openRemoteContext } from '../remote-context.ts';

export const buildRoutes: readonly Route[] = [
  { method: 'POST', path: '/build', handler: build },
  { method: 'POST', path: '/build/prune', handler: prune },
];

/** The classic builder, unless BuildKit is asked for: the context comes as a tar, the answer is the text of the build. */
async function build(call: Call): Promise<void> {
  if (call.query.text('version') === '2') return buildkitOf(call).build(call);
  const { contexts, classicOutput, engine } = call.services;
  const planned = buildRequestFromQuery(call.query);
  const stream = new ProgressStream(call);
  await stream.carry(async () => {
    const source = await contextOf(call, planned);
    const context =
      source.tar === undefined ? await contexts.empty() : await contexts.unpack(source.tar, call.signal);
    try {
      const classic = classicOutput(line => {
        if (line.type === 'stream') {
          if (!planned.quiet) stream.send({ stream: line.text });
        } else if (line.type === 'progress') {
          if (!planned.quiet) stream.progress(line.progress);
        } else if (planned.quiet) stream.send({ stream: `${line.id}\n` });
        else stream.send({ aux: { ID: line.id } });
      });
      const output = planned.explain ? explaining(classic, stream) : classic;
      const request: BuildRequest = {
        ...planned.request,
        contextDirectory: context.directory,
        contextUrl: source.contextUrl,
        dockerfile: source.dockerfile,
        credentials: allCredentialsOf(call),
      };
      try {
        await engine.builder.build(request, output, call.signal);
      } catch (error) {
        classic.flush();
        throw error;
      }
    } finally {
      await context.remove();
    }
  });
}

function explaining(output: BuildOutput, stream: ProgressStream): BuildOutput {
  return {
    event(event) {
      if (event.type === 'stepExplained') {
        const { step, hit, reason, sentence } = event;
        const aux: BuildExplanation = {
          Step: step.number,
          Total: step.total,
          Stage: step.stageName ?? String(step.stage),
          Instruction: step.text,
          Hit: hit,
          Kind: reason.kind,
          Reason: sentence,
        };
        stream.send({ id: explanationId, aux });
      }
      output.event(event);
    },
  };
}

interface ContextSource {
  /** undefined: the context is at the URL. */
  tar?: Readable;
  contextUrl?: string;
  dockerfile: string;
}

/** The tar in the body; or what `remote` leads to, which is a repository, a tar or a lone Dockerfile. */
async function contextOf(
  call: Call,
  planned: ReturnType<typeof buildRequestFromQuery>,
): Promise<ContextSource> {
  const { dockerfile } = planned.request;
  if (planned.remote === '') return { tar: call.request, dockerfile };
  if (isRepositoryUrl(planned.remote)) return { contextUrl: planned.remote, dockerfile };
  const { tar, isDockerfile } = await openRemoteContext(
    await call.engine.builder.fetchUrl(planned.remote, call.signal),
  );
  return { tar, dockerfile: isDockerfile ? '' : dockerfile };
}

/**
 * `until` and `unused-for` mean the same here: not used since. Other filters are ignored, as dockerd does, because
 * `system prune` sends the same ones to everything it prunes.
 */
async function prune(call: Call): Promise<void> {
  const { query } = call;
  const filters = Filters.readAny(query);
  const [inUse, shared, isPrivate] = ['inuse', 'shared', 'private'].map(name => filters.flag(name));
  const ages = ['until', 'unused-for'].map(name => filters.untilMs(name) ?? Number.POSITIVE_INFINITY);
  const unusedSinceMs = Math.min(...ages);
  const { deleted, reclaimedBytes } = await call.engine.system.pruneBuildCache({
    all: query.flag('all'),
    reservedBytes: query.integer('reserved-space') ?? query.integer('keep-storage'),
    maxUsedBytes: query.integer('max-used-space'),
    minFreeBytes: query.integer('min-free-space'),
    matches: record =>
      record.lastUsedMs < unusedSinceMs &&
      filters.prefix('id', record.key) &&
      filters.exact('type', record.type) &&
      filters.match('description', record.description) &&
      (inUse === undefined || record.inUse === inUse) &&
      (shared === undefined || record.shared === shared) &&
      (isPrivate === undefined || record.shared !== isPrivate),
  });
  call.json({ CachesDeleted: orNull(deleted), SpaceReclaimed: reclaimedBytes });
}
