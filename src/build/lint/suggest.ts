/** The first of the options nearest to a word, at most two edits away, as BuildKit suggests; '' when one is the word. */
export function suggestName(word: string, options: Iterable<string>): string {
  let best = '';
  let bestDistance = 3;
  for (const option of options) {
    if (option === word) return '';
    const distance = editDistance(word, option);
    if (distance >= bestDistance) continue;
    best = option;
    bestDistance = distance;
  }
  return best;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost));
    }
    last = row;
  }
  return last[b.length]!;
}
