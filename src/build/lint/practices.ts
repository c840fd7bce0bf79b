import type { InstructionOf } from '../dockerfile/instructions.ts';
import type { Stage } from '../dockerfile/parse.ts';
import type { StageBase } from '../graph.ts';
import type { Finding } from './rules.ts';

/** Advice about one stage: nothing here is wrong, and most of it makes an image smaller or a build faster. */
export function adviseOnStage(stage: Stage, base: StageBase | undefined): Finding[] {
  return [
    ...pinnedBase(stage, base),
    ...mergeableRuns(stage),
    ...cacheOrder(stage),
    ...stage.instructions.flatMap(instruction =>
      instruction.kind === 'RUN'
        ? [...apt(instruction)]
        : instruction.kind === 'ADD'
          ? [...plainAdd(instruction)]
          : [],
    ),
  ];
}

/** @param user who the target's containers run as; '' is root */
export function adviseOnUser(target: Stage, user: string): Finding[] {
  const [name = ''] = user.split(':');
  if (name !== '' && name !== 'root' && name !== '0') return [];
  const last = target.instructions.findLast(({ kind }) => kind === 'USER') ?? target.from;
  const detail = 'Containers of this image run as root: end with USER and another name';
  return [{ rule: 'RunsAsRoot', detail, lines: last.lines, at: last.lines.first }];
}

function* pinnedBase({ from }: Stage, base: StageBase | undefined): Generator<Finding> {
  if (base?.type !== 'image' || base.reference.includes('@')) return;
  const tag = /:([^:/]+)$/.exec(base.reference)?.[1];
  if (tag !== undefined && tag !== 'latest') return;
  const detail = `Base image ${base.reference} has no version: name a tag other than latest, or a digest`;
  yield { rule: 'PinnedBaseImage', detail, lines: from.lines, at: from.lines.first };
}

/** RUNs of the shell form without flags, one after the other. */
function* mergeableRuns({ instructions }: Stage): Generator<Finding> {
  for (let at = 0; at < instructions.length; at++) {
    const first = instructions[at]!;
    let end = at;
    while (end < instructions.length && isPlainRun(instructions[end]!)) end++;
    if (end - at < 2) continue;
    const last = instructions[end - 1]!;
    const detail = `${end - at} RUN instructions in a row could be one: join them with &&, or write a heredoc`;
    const lines = { first: first.lines.first, last: last.lines.last };
    yield { rule: 'MergeRunInstructions', detail, lines, at: first.lines.first };
    at = end;
  }
}

function isPlainRun(instruction: Stage['instructions'][number]): boolean {
  return (
    instruction.kind === 'RUN' &&
    instruction.command.shell &&
    instruction.heredocs.length === 0 &&
    instruction.mounts.length === 0 &&
    instruction.network === 'default'
  );
}

/** Commands that fetch what a project depends on, and the files that alone say what that is. */
const installers: readonly [pattern: RegExp, needs: string][] = [
  [/\bnpm (ci|install|i)\b(?!\s+(-g|--global)\b)/, 'package.json and package-lock.json'],
  [/\byarn(\s+install)?\s*($|&&|;|--)/, 'package.json and yarn.lock'],
  [/\bpnpm (install|i)\b/, 'package.json and pnpm-lock.yaml'],
  [/\bpip3? install\b.*(-r|--requirement)\b/, 'requirements.txt'],
  [/\bpoetry install\b/, 'pyproject.toml and poetry.lock'],
  [/\bgo mod download\b/, 'go.mod and go.sum'],
  [/\bcargo fetch\b/, 'Cargo.toml and Cargo.lock'],
  [/\bbundle install\b/, 'Gemfile and Gemfile.lock'],
  [/\bcomposer install\b/, 'composer.json and composer.lock'],
  [/\b(apt-get|apt|apk|dnf|yum) (-\S+ )*(install|add)\b/, ''],
];

function* cacheOrder({ instructions }: Stage): Generator<Finding> {
  const copy = instructions.find(
    instruction =>
      (instruction.kind === 'COPY' || instruction.kind === 'ADD') &&
      instruction.from === undefined &&
      instruction.sources.some(source => source.type === 'path' && /^(\.|\.?\/)$/.test(source.path)),
  );
  if (copy === undefined) return;
  for (const run of instructions.slice(instructions.indexOf(copy) + 1)) {
    const text = run.kind === 'RUN' ? run.command.args.join(' ') : '';
    const installer = installers.find(([pattern]) => pattern.test(text));
    if (installer === undefined) continue;
    const [pattern, needs] = installer;
    const command = pattern.exec(text)![0].trim();
    const advice = needs === '' ? 'run it before the copy' : `copy ${needs} first`;
    const detail = `Every change in the context makes \`${command}\` run again: ${advice}`;
    yield { rule: 'CacheOrder', detail, lines: copy.lines, at: copy.lines.first };
    return;
  }
}

function* apt({ command, mounts, lines, heredocs }: InstructionOf<'RUN'>): Generator<Finding> {
  const text = [...command.args, ...heredocs.map(heredoc => heredoc.content)].join('\n');
  const installs = /\bapt(-get)?\s(?:[^&|;\n]*\s)?install\b/.test(text);
  const updates = /\bapt(-get)?\s(?:[^&|;\n]*\s)?update\b/.test(text);
  const place = { lines, at: lines.first };
  const cached = mounts.some(mount =>
    mount.fields.some(({ value }) => /^\/var\/(lib|cache)\/apt/.test(value)),
  );
  if (updates && !installs && !/\b(upgrade|dist-upgrade|build-dep)\b/.test(text)) {
    const detail =
      'apt-get update alone is cached, and later installs use old lists: write update && install in one RUN';
    yield { rule: 'AptUpdateAlone', detail, ...place };
  }
  if (!installs) return;
  if (updates && !cached && !/rm\s+(-\S+\s+)*\S*\/var\/lib\/apt\/lists/.test(text)) {
    const detail =
      'The lists of apt-get update stay in the layer: end the RUN with rm -rf /var/lib/apt/lists/*';
    yield { rule: 'AptCleanUp', detail, ...place };
  }
  if (!/--no-install-recommends|Install-Recommends/.test(text)) {
    const detail = 'apt-get install takes recommended packages along: say --no-install-recommends';
    yield { rule: 'AptRecommends', detail, ...place };
  }
}

const archive = /\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst))$/;

/** ADD of files that COPY would take the same way. */
function* plainAdd(instruction: InstructionOf<'COPY' | 'ADD'>): Generator<Finding> {
  const { sources, lines } = instruction;
  const isPlain = sources.every(
    source => source.type === 'heredoc' || !(/:\/\/|^git@|\$/.test(source.path) || archive.test(source.path)),
  );
  if (!isPlain || instruction.unpack !== undefined) return;
  const detail =
    'Files of the context are better copied with COPY: ADD also unpacks archives and fetches URLs';
  yield { rule: 'CopyInsteadOfAdd', detail, lines, at: lines.first };
}
