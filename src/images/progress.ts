/** Progress of a pull, push, load or bootstrap in Docker's vocabulary; the server makes jsonmessage lines of it. */
export interface ProgressEvent {
  /** Short layer id or tag; absent for lines of their own. */
  id?: string;
  /** `Pulling fs layer`, `Downloading`, `Pull complete` … */
  status: string;
  currentBytes?: number;
  totalBytes?: number;
  /** For machine readers, Docker's `aux`. Comes with an empty status. */
  aux?: object;
}

export type Progress = (event: ProgressEvent) => void;

/** How often one bar may move. Docker's client redraws no faster, and every event costs a line on the wire. */
const intervalMs = 100;

/**
 * Reports how far one piece of work is, rarely enough to cost nothing. The last byte is always reported.
 * @param totalBytes 0 when it is not known.
 */
export function progressBar(progress: Progress, id: string, status: string, totalBytes: number) {
  let reportedMs = 0;
  return (currentBytes: number): void => {
    const nowMs = performance.now();
    if (currentBytes < totalBytes && nowMs - reportedMs < intervalMs) return;
    reportedMs = nowMs;
    progress({ id, status, currentBytes, totalBytes });
  };
}

/** The 12 digits by which Docker shows a digest. */
export function shortId(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(colon + 1, colon + 13);
}
