import { setTimeout as sleep } from 'node:timers/promises';

/** Tries for 30 s until it holds: what the kernel and the daemon finish in the background takes a moment. */
export async function settled(check: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt >= 150) throw error;
      await sleep(200);
    }
  }
}
