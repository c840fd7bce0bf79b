import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Row, table } from './measure.ts';
import { sections } from './sections.ts';
import { type Contender, Side } from './side.ts';

/**
 * npm run bench [-- SECTION... --beside dockerd|buildkit --rounds N --only dockerd|buildkit|gantryd --json FILE]
 *
 * The same docker client against both daemons, turn about, each in a world of its own. Prints a table of
 * medians and ratios; --json writes the rows as well. `dockerd` is this machine's, `buildkit` the one of Debian's
 * unstable suite (28.5).
 */
const words = process.argv.slice(2);
const option = (name: string): string | undefined => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.splice(at, 2)[1];
};
const asked = option('--rounds');
const rounds = asked === undefined ? undefined : Number(asked);
const only = option('--only') as Contender | undefined;
const beside = (option('--beside') ?? 'dockerd') as Contender;
const json = option('--json');
const unknown = words.filter(word => !(word in sections));
if (unknown.length > 0) {
  console.error(`bench: no section ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}`);
  process.exit(2);
}
const chosen = words.length > 0 ? words : Object.keys(sections);

const kinds: Contender[] = only ? [only] : [beside, 'gantryd'];
const sides: Side[] = [];
const rows: Row[] = [];
try {
  for (const kind of kinds) sides.push(await Side.start(kind));
  for (const name of chosen) {
    process.stderr.write(`measuring ${name}\n`);
    rows.push(...(await measure(name)));
  }
} finally {
  await Promise.all(sides.map(side => side.stop()));
}
console.log(table(rows));
if (json) {
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(json, `${JSON.stringify({ at: new Date().toISOString(), rounds, rows }, undefined, 2)}\n`);
}

/** A section that fails is said and passed over: the others are still worth having. */
async function measure(name: string): Promise<Row[]> {
  try {
    const measured = await sections[name]!(sides, rounds);
    process.stderr.write(`${table(measured)}\n`);
    return measured;
  } catch (error) {
    process.exitCode = 1;
    console.error(`bench: ${name}: ${error instanceof Error ? error.message : error}`);
    return [];
  }
}
