import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { cases, type DockerfileCase } from './cases.ts';
import { placeOf, wordsOf } from './failure-text.ts';
import { goldenPath } from './golden.ts';
import { type BuildingSide, Place } from './place.ts';
import { startSubject } from './subject.ts';

/** Builds in flight at once: as many as keep a small machine busy. */
const lanes = 4;

describe('dockerfiles: built by gantry as by BuildKit', { concurrency: lanes }, () => {
  let side: BuildingSide | undefined;
  let place: Place;

  before(async () => {
    side = await startSubject();
    place = await Place.open(side);
  });
  after(() => side?.world.stop());

  for (const [name, chosen] of Object.entries(cases)) {
    test(name, async () => {
      const path = goldenPath(name);
      assert.ok(existsSync(path), 'nothing is recorded for it: node test/dockerfiles/record.ts');
      const wanted = comparable(readFileSync(path, 'utf8'), chosen);
      const built = await place.build(name, chosen);
      const { words, elsewhere } = chosen.fails ?? {};
      if (words !== undefined) assert.equal(wordsOf(built), words);
      if (words !== undefined || elsewhere)
        assert.notEqual(comparable(built, chosen), wanted, 'nothing differs');
      if (elsewhere) assert.equal(wordsOf(built), words ?? wordsOf(wanted));
      else if (words === undefined)
        assert.deepEqual(comparable(built, chosen).split('\n'), wanted.split('\n'));
      else assert.deepEqual(placeOf(built), placeOf(wanted));
    });
  }
});

function comparable(text: string, { differs }: DockerfileCase): string {
  return differs === undefined ? text : text.replace(differs, '');
}
