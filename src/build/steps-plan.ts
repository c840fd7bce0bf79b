import type { Instruction } from './dockerfile/instructions.ts';
import type { Stage } from './dockerfile/parse.ts';
import type { BuildStep, StepPlatform } from './events.ts';
import { argsOf, type BuildGraph, type PlannedStage } from './graph.ts';
import { formatPlatform } from './platform.ts';

/** The steps of a graph, numbered in the order of the Dockerfile as the classic client counts them. */
export interface PlannedSteps {
  all: BuildStep[];
  global: BuildStep[];
  /** By stage: FROM first, then its instructions. */
  ofStage: Map<number, BuildStep[]>;
  /** The Dockerfile has one stage, which takes no files from elsewhere. */
  alone: boolean;
}

/** @param several the graph is one of several, each for a platform of its own */
export function planSteps(graph: BuildGraph, several = false): PlannedSteps {
  const { globalArgs } = graph.dockerfile;
  const total = graph.stages.reduce(
    (sum, { stage }) => sum + 1 + stage.instructions.length,
    globalArgs.length,
  );
  const all: BuildStep[] = [];
  const add = (
    platform: StepPlatform | undefined,
    stage: number,
    stageName: string | undefined,
    index: number,
    instruction: Instruction,
  ): BuildStep => {
    const step: BuildStep = {
      number: all.length + 1,
      total,
      stage,
      ...(stageName === undefined ? {} : { stageName }),
      ...(platform === undefined ? {} : { platform }),
      index,
      text: instruction.text,
      lines: instruction.lines,
      trigger: false,
    };
    all.push(step);
    return step;
  };
  const global = globalArgs.map((instruction, index) => add(undefined, -1, undefined, index, instruction));
  const ofStage = new Map<number, BuildStep[]>();
  for (const planned of graph.stages) {
    const { stage, base } = planned;
    const platform = several ? stepPlatform(graph, planned) : undefined;
    const steps = [stage.from, ...stage.instructions].map((instruction, index) =>
      add(platform, stage.index, stage.name, index, instruction),
    );
    if (base.type === 'image') steps[0]!.image = base.reference;
    ofStage.set(stage.index, steps);
  }
  const { stages } = graph.dockerfile;
  return { all, global, ofStage, alone: stages.length === 1 && !takesFromElsewhere(stages[0]!) };
}

function takesFromElsewhere({ instructions }: Stage): boolean {
  return instructions.some(
    instruction =>
      (instruction.kind === 'RUN' && instruction.mounts.length > 0) ||
      (instruction.kind === 'COPY' && instruction.from !== undefined),
  );
}

/** A stage that asks for its target is another one for each. */
function stepPlatform({ platform: target }: BuildGraph, { stage, platform }: PlannedStage): StepPlatform {
  const own = formatPlatform(platform);
  const wanted = formatPlatform(target);
  const asks = argsOf(stage.instructions).some(name => /^TARGET(PLATFORM|OS|ARCH|VARIANT)$/.test(name));
  if (!asks || own === wanted) return { target: wanted, label: own };
  const sameOs = platform.os === target.os;
  return { target: wanted, label: `${own}->${sameOs ? wanted.slice(wanted.indexOf('/') + 1) : wanted}` };
}
