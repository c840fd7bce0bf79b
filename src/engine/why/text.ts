import { humanDuration } from '../../stdx/human-duration.ts';

/** `1.5 MiB`: powers of two, as limits are given. */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${units[unit]}`;
}

/** `0.3 s`, `12 s`, `About an hour` */
export function showDuration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : humanDuration(ms);
}

/** A command as one would type it. */
export function showCommand(command: readonly string[]): string {
  return command
    .map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** The newest lines, marked as the container's own words. */
export function quoteLines(lines: readonly string[], count = 5): string[] {
  return lines.slice(-count).map(line => `| ${line}`);
}

/** Lines that say a certain thing, the newest ones. */
export function linesLike(lines: readonly string[], pattern: RegExp, count = 3): string[] {
  return lines.filter(line => pattern.test(line)).slice(-count);
}
