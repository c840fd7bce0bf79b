/**
 * Columns as Docker aligns them: every column as wide as its widest cell plus three spaces, ten at least, the last one
 * as it is. A row with fewer cells than another ends where it ends.
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  { minWidth = 10, padding = 3 } = {},
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? minWidth, displayWidth(cell) + padding);
    });
  }
  let text = '';
  for (const row of rows) {
    row.forEach((cell, column) => {
      text += column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - displayWidth(cell));
    });
    text += '\n';
  }
  return text;
}

/** Go's tabwriter counts characters, so does this: code points, not cells of a terminal. */
function displayWidth(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length;
}

/** As many characters as fit, the last one an ellipsis when some were left out. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  if (width <= 1) return characters.slice(0, width).join('');
  return `${characters.slice(0, width - 1).join('')}…`;
}
