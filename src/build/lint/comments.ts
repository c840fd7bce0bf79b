import type { Dockerfile } from '../dockerfile/parse.ts';

/** The comments before each instruction, by its first line; an empty comment ends what it says. */
export function commentsBefore(dockerfile: Dockerfile): Map<number, string[]> {
  const instructions = [
    ...dockerfile.globalArgs,
    ...dockerfile.stages.flatMap(stage => [stage.from, ...stage.instructions]),
  ].sort((a, b) => a.lines.first - b.lines.first);
  const physical = dockerfile.source.text.split('\n');
  const comments = new Map<number, string[]>();
  // Directives are no comments.
  let next = Object.keys(dockerfile.directives).length;
  for (const { lines } of instructions) {
    const found: string[] = [];
    for (const line of physical.slice(next, lines.first - 1)) {
      const match = /^\s*#(.*)$/.exec(line);
      if (match === null) continue;
      const comment = match[1]!.trim();
      if (comment === '') found.length = 0;
      else found.push(comment);
    }
    comments.set(lines.first, found);
    next = lines.last;
  }
  return comments;
}
