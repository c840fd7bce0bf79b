/** Numbers of one measurement on both daemons; milliseconds unless the unit says otherwise. */
export interface Row {
  section: string;
  what: string;
  unit: 'ms' | 'MB' | 'MB/s';
  dockerd?: number;
  gantry?: number;
  /** How many times better Gantry is: less time, less memory, more throughput. */
  ratio?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Of what was measured on each side. */
export function row(
  section: string,
  what: string,
  values: ReadonlyMap<string, number>,
  unit: Row['unit'] = 'ms',
): Row {
  return withRatio({
    section,
    what,
    unit,
    dockerd: values.get('dockerd') ?? values.get('buildkit'),
    gantry: values.get('gantryd'),
  });
}

function withRatio(row: Row): Row {
  const { dockerd, gantry } = row;
  if (dockerd === undefined || gantry === undefined || gantry === 0 || dockerd === 0) return row;
  return { ...row, ratio: row.unit === 'MB/s' ? gantry / dockerd : dockerd / gantry };
}

export function table(rows: readonly Row[]): string {
  const cells = rows.map(row => [
    row.section,
    row.what,
    number(row.dockerd),
    number(row.gantry),
    row.unit,
    row.ratio === undefined ? '' : `${row.ratio.toFixed(1)}x`,
  ]);
  const all = [['section', 'what', 'dockerd', 'gantry', 'unit', 'ratio'], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map(line => line[column]!.length)));
  const numeric = new Set([2, 3, 5]);
  return all
    .map(line =>
      line
        .map((cell, i) => (numeric.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function number(value: number | undefined): string {
  if (value === undefined) return '-';
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
