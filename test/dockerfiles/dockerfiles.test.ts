import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { cases } from './cases.ts';
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
      const compared = (text: string) => text.split('\n').filter(line => chosen.differs?.test(line) !== true);
      assert.deepEqual(compared(await place.build(name, chosen)), compared(readFileSync(path, 'utf8')));
    });
  }
});
