/** Lines of cells as columns, as Go's tabwriter sets them: the last cell of a line has nothing after it. */
export function columns(lines: readonly (readonly string[])[], paddingChars: number): string {
  const widths: number[] = [];
  for (const cells of lines) {
    for (const [index, cell] of cells.slice(0, -1).entries())
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return lines
    .map(cells => {
      const last = cells.length - 1;
      const text = cells.map((cell, index) =>
        index === last ? cell : cell.padEnd(widths[index]! + paddingChars),
      );
      return `${text.join('')}\n`;
    })
    .join('');
}
