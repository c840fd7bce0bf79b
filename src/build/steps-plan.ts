import type { Instruction } from './dockerfile/instructions.ts';
import type { BuildStep } from './events.ts';
import type { BuildGraph } from './graph.ts';

/** The steps of a graph, numbered in the order of the Dockerfile as the classic client counts them. */
export interface PlannedSteps {
  all: BuildStep[];
  global: BuildStep[];
  /** By stage: FROM first, then its instructions. */
  ofStage: Map<number, BuildStep[]>;
}

export function planSteps(graph: BuildGraph): PlannedSteps {
  const { globalArgs } = graph.dockerfile;
  const total = graph.stages.reduce(
    (sum, { stage }) => sum + 1 + stage.instructions.length,
    globalArgs.length,
  );
  const all: BuildStep[] = [];
  const add = (
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
      index,
      text: instruction.text,
      lines: instruction.lines,
      trigger: false,
    };
    all.push(step);
    return step;
  };
  const global = globalArgs.map((instruction, index) => add(-1, undefined, index, instruction));
  const ofStage = new Map<number, BuildStep[]>();
  for (const { stage } of graph.stages) {
    const steps = [stage.from, ...stage.instructions].map((instruction, index) =>
      add(stage.index, stage.name, index, instruction),
    );
    ofStage.set(stage.index, steps);
  }
  return { all, global, ofStage };
}
