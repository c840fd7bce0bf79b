import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { cases } from './cases.ts';
import { goldenPath } from './golden.ts';
import { Place } from './place.ts';
import { Reference } from './reference.ts';
import { startSubject } from './subject.ts';

/**
 * Builds cases with the reference and writes its answers to golden/. Words choose the cases whose name holds one of
 * them. With `--show=DIRECTORY` Gantry builds instead, and its answers are written there, to look at.
 */
const words = process.argv.slice(2).filter(word => !word.startsWith('--'));
const show = process.argv.find(word => word.startsWith('--show='))?.slice('--show='.length);
const chosen = Object.entries(cases).filter(
  ([name]) => words.length === 0 || words.some(word => name.includes(word)),
);

const side = show === undefined ? await Reference.start() : await startSubject();
if (show !== undefined) mkdirSync(show, { recursive: true });
try {
  const place = await Place.open(side);
  const queue = chosen[Symbol.iterator]();
  await Promise.all([0, 1, 2].map(() => work(place, queue)));
} finally {
  await side.world.stop();
}

async function work(place: Place, queue: Iterator<(typeof chosen)[number]>): Promise<void> {
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    const [name, chosenCase] = next.value;
    try {
      const answer = await place.build(name, chosenCase);
      writeFileSync(show === undefined ? goldenPath(name) : `${show}/${basename(goldenPath(name))}`, answer);
      console.log(`${name}: ${answer.split('\n').length} lines`);
    } catch (error) {
      console.error(`${name}: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
}
