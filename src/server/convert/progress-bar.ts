const barWidth = 50;

/** The bar dockerd draws for clients that draw none (pkg/jsonmessage, JSONProgress.String). @param total 0: not known */
export function progressBar(current: number, total: number): string {
  if (current <= 0 && total <= 0) return '';
  if (total <= 0) return humanSize(current).padStart(8);
  const filled = Math.min(barWidth, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = `[${'='.repeat(filled)}>${' '.repeat(barWidth - filled)}] `;
  const numbers = humanSize(current).padStart(8);
  return current > total ? `${bar}${numbers}` : `${bar}${numbers}/${humanSize(total)}`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Four significant digits, decimal units: `1.024kB` (go-units, HumanSize). */
export function humanSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(4))}${units[unit]}`;
}
