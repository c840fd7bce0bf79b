/**
 * Some lines of a text, with those around them, as BuildKit's clients draw them:
 *
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM busybox
 *        2 | >>> RUN exit 3
 *     --------------------
 *
 * @param lines from 1, both included. @returns '' when there are no such lines
 */
export function sourceExcerpt(file: string, text: string, lines: { first: number; last: number }): string {
  const all = text.split('\n');
  const { first } = lines;
  if (first < 1 || first > all.length) return '';
  const last = Math.min(lines.last, all.length);
  const around = first === last ? 4 : 2;
  let [start, end] = [first, last];
  for (let added = 0; added < around; added++) {
    if (start > 1) {
      start--;
      added++;
    }
    if (end !== all.length) {
      end++;
      added++;
    }
  }
  const shown = [`${file}:${first}`, '-'.repeat(20)];
  for (let line = start; line <= end; line++) {
    const mark = line >= first && line <= last ? '>>>' : '   ';
    shown.push(` ${String(line).padStart(3)} | ${mark} ${all[line - 1]}`);
  }
  shown.push('-'.repeat(20), '');
  return shown.join('\n');
}
