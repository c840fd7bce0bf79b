import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { busyboxArchive } from '../support/base-images.ts';
import { runOrThrow } from '../support/run-program.ts';
import { failureText } from './failure-text.ts';
import { randomCase } from './fuzz-grammar.ts';
import { contentsOf, fileTree, imageText, type FileTree, type KnownContents } from './image-text.ts';
import { type BuildingSide, save } from './place.ts';
import { Reference } from './reference.ts';
import { startSubject } from './subject.ts';

/**
 * Random Dockerfiles, built by dockerd's BuildKit and by Gantry at the same time; what differs is written down.
 *
 *     node test/dockerfiles/fuzz.ts --seed=1 --count=200 --out=/tmp/fuzz
 */
const flag = (name: string, fallback: string): string =>
  process.argv.find(word => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
const first = Number(flag('seed', '1'));
const count = Number(flag('count', '50'));
const out = flag('out', '/tmp/fuzz');
const minutes = Number(flag('minutes', '30'));
mkdirSync(out, { recursive: true });

const sides = await Promise.all([Reference.start(), startSubject()]);
let next = first;
const deadline = Date.now() + minutes * 60_000;
const tally = { same: 0, bothFail: 0, differ: 0 };
try {
  const trees = await Promise.all(sides.map(prepare));
  const work = async (): Promise<void> => {
    while (next < first + count && Date.now() < deadline) {
      const seed = next++;
      try {
        await one(seed, trees);
      } catch (error) {
        console.error(seed, (error as Error).message);
      }
    }
  };
  await Promise.all([work(), work()]);
  console.log(JSON.stringify(tally));
} finally {
  await Promise.all(sides.map(side => side.world.stop()));
}

interface Base {
  tree: FileTree;
  known: KnownContents;
}

async function prepare(side: BuildingSide): Promise<Base> {
  const archive = side.world.path('work', 'base.tar');
  mkdirSync(side.world.path('work'), { recursive: true });
  await runOrThrow(['cp', await busyboxArchive(), archive]);
  const loaded = await side.run([...side.client, 'load', '-i', archive], { timeoutMs: 120_000 });
  if (loaded.code !== 0) throw new Error(loaded.stderr);
  const tree = await fileTree(await save(side.socket, 'busybox'));
  return { tree, known: contentsOf(tree) };
}

async function one(seed: number, bases: Base[]): Promise<void> {
  const chosen = randomCase(seed);
  const answers = await Promise.all(
    sides.map(async (side, index) => {
      const directory = side.world.path('work', `c${seed}`);
      mkdirSync(directory);
      writeFileSync(`${directory}/prepare.sh`, chosen.prepare);
      await runOrThrow(['sh', '-ec', `umask 022; . ./prepare.sh; rm prepare.sh; find . -exec touch -h -d @1700000123 {} +`], { cwd: directory });
      writeFileSync(`${directory}/Dockerfile`, chosen.dockerfile);
      writeFileSync(`${directory}/.dockerignore`, chosen.ignore);
      const built = await side.run(
        [...side.client, 'build', '--progress=plain', '-t', `fuzz:${seed}`, ...chosen.args, '.'],
        { cwd: directory, timeoutMs: 120_000 },
      );
      rmSync(directory, { recursive: true, force: true });
      if (built.timedOut) return { code: -1, text: 'TIMEOUT', said: built.stderr };
      if (built.code !== 0) return { code: 1, text: failureText(built.stdout + built.stderr), said: built.stderr };
      const text = await imageText(await save(side.socket, `fuzz:${seed}`), { base: bases[index]!.tree, known: bases[index]!.known });
      await side.run([...side.client, 'rmi', `fuzz:${seed}`]);
      return { code: 0, text, said: built.stderr };
    }),
  );
  for (const a of answers) a.text = a.text.replace(/^# "LABEL l=flag.*\n/m, '');
  const [wanted, got] = answers as [(typeof answers)[0], (typeof answers)[0]];
  if (wanted.code === 0 && got.code === 0 && wanted.text === got.text) tally.same++;
  else if (wanted.code !== 0 && got.code !== 0) {
    tally.bothFail++;
    const last = (text: string): string => text.trimEnd().split('\n').at(-1)!;
    if (wanted.text !== got.text)
      appendFileSync(`${out}/words.txt`, `${seed} ${last(wanted.text)}\n${seed}          ${last(got.text)}\n`);
    else appendFileSync(`${out}/same-words.txt`, `${last(wanted.text)}\n`);
  } else {
    tally.differ++;
    for (const [name, answer] of [['want', wanted], ['got', got]] as const) {
      writeFileSync(`${out}/${seed}.${name}`, answer.text);
      writeFileSync(`${out}/${seed}.${name}.said`, answer.said);
    }
    writeFileSync(`${out}/${seed}.case`, `${chosen.dockerfile}\n---- ignore\n${chosen.ignore}\n---- ${chosen.args.join(' ')}\n${chosen.prepare}`);
    console.log('differs', seed, wanted.code, got.code);
  }
}
