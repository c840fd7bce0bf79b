/** What may be kept that nobody needs right now; at least one of the two is given. */
export interface DiskBudget {
  /** What build cache, images that no container uses, and logs may take together. */
  sizeBytes?: number;
  /** So much of the data-root's file system shall be free. */
  keepFreeBytes?: number;
  /** Images that were used since stay all the same. */
  unusedForMs: number;
}

export interface DiskState {
  freeBytes: number;
  /** Build cache that no image shares and no build uses. */
  cacheBytes: number;
  /** What would be free without the images that no container uses. */
  imageBytes: number;
  logBytes: number;
}

/** How much of what is to go. */
export interface Collection {
  cacheBytes: number;
  imageBytes: number;
}

/**
 * The build cache goes first: whatever it has can be made again here. Logs count, and stay: they have limits of their
 * own and are what people look for after a failure.
 */
export function planDiskBudget(
  state: DiskState,
  { sizeBytes = Number.POSITIVE_INFINITY, keepFreeBytes = 0 }: DiskBudget,
): Collection {
  const used = state.cacheBytes + state.imageBytes + state.logBytes;
  const excess = Math.max(used - sizeBytes, keepFreeBytes - state.freeBytes, 0);
  const cacheBytes = Math.min(excess, state.cacheBytes);
  return { cacheBytes, imageBytes: Math.min(excess - cacheBytes, state.imageBytes) };
}
