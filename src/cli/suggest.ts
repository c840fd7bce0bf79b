/** Names that are at most two edits away, or that begin with what was typed; nearest first. */
export function suggestions(typed: string, names: readonly string[]): string[] {
  return (
    names
      .map(name => ({ name, distance: name.startsWith(typed) ? 0 : editDistance(typed, name) }))
      // Of a word of three letters two edits leave nothing: the shorter the word, the nearer it must be.
      .filter(({ distance }) => distance <= Math.min(2, Math.floor(typed.length / 3)))
      .sort((left, right) => left.distance - right.distance)
      .slice(0, 3)
      .map(({ name }) => name)
  );
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
