import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { debianArchive, debianImage } from '../../support/debian-image.ts';
import { PackageMirror, packagesUrl } from '../../support/package-mirror.ts';
import type { DockerfileCase } from '../cases.ts';
import { type BuildingSide, Place, tagOf } from '../place.ts';
import { Reference } from '../reference.ts';
import { startSubject } from '../subject.ts';

const timeoutMs = 3_500_000;

interface Example extends DockerfileCase {
  /** Shell with `docker`: $IMAGE at work. */
  use: string;
  /** What that prints. */
  prints: string;
}

/** A folder `debian-NAME` of cases/ for each. */
const examples: Record<string, Example> = {
  'go-service': {
    base: 'scratch',
    args: ['--build-arg', 'VERSION=1.2.3'],
    use: `docker run --rm $IMAGE version
docker run -d --name service $IMAGE > /dev/null
until [ "$(docker inspect --format '{{.State.Health.Status}}' service)" = healthy ]; do sleep 0.5; done
docker inspect --format '{{.State.Status}}' service`,
    prints: '1.2.3 65532\nrunning\n',
  },
  'node-app': {
    base: debianImage,
    use: 'docker run --rm $IMAGE node dist/server.js once',
    prints: 'app production hello, ada\n',
  },
  'python-venv': {
    base: debianImage,
    use: 'docker run --rm $IMAGE ada',
    prints: 'hello, ada from /opt/venv as 999\n',
  },
  distroless: {
    base: 'scratch',
    use: 'docker run --rm $IMAGE | cut -d, -f1',
    prints: 'nonroot in /home/nonroot with 2 users\n',
  },
  'nginx-template': {
    base: debianImage,
    use: `docker run -d --name web -e NGINX_HOST=other.test $IMAGE > /dev/null
until docker exec web curl -sf localhost:8080/host; do sleep 0.5; done
docker exec web curl -s localhost:8080/`,
    prints: 'other.test\n<p>a page</p>\n',
  },
  database: {
    base: debianImage,
    use: `docker run -d --name database $IMAGE > /dev/null
until docker exec database psql -tAc 'SELECT name FROM people ORDER BY id' 2> /dev/null | grep -x grace; do sleep 0.5; done
docker exec database stat -c %U /var/lib/postgresql/data/PG_VERSION`,
    prints: 'grace\npostgres\n',
  },
};

/**
 * Of every installation another: when it was, which inodes there were, a key made for the machine. Compiled Python has the
 * time of its source.
 */
const chance =
  /^. .*(\/var\/(log\/(apt\/\S+|\S+\.log)|cache\/(ldconfig\/aux-cache|debconf\/config\.dat)) |snakeoil).*\n|(?<=\.pyc \d+) sha256:\S+/gm;

/**
 * Images as people make them, with packages of Debian: built by dockerd 28 with its BuildKit and by Gantry, compared entry
 * by entry, and used.
 */
describe('well-known examples on debian', { timeout: timeoutMs }, () => {
  const places: Place[] = [];
  const sides: BuildingSide[] = [];
  let mirror: PackageMirror;

  before(async () => {
    const debian = await debianArchive();
    mirror = await PackageMirror.open();
    for (const start of [() => Reference.start(), startSubject]) {
      const side = await start();
      sides.push(side);
      const place = await Place.open(side);
      await place.load(debian, debianImage);
      await mirror.serve(side.world);
      places.push(place);
    }
  });
  after(async () => {
    await mirror?.close();
    for (const { world } of sides) await world.stop();
  });

  for (const [short, example] of Object.entries(examples)) {
    test(short, async () => {
      const name = `debian-${short}`;
      const args = [...(example.args ?? []), '--build-arg', `http_proxy=${packagesUrl}`];
      const answers: string[] = [];
      for (const place of places) {
        const text = await place.build(name, { ...example, args, timeoutMs });
        answers.push(text.replace(chance, ''));
      }
      const [wanted, built] = answers as [string, string];
      assert.ok(wanted.split('\n').length > 10, wanted);
      assert.deepEqual(built.split('\n'), wanted.split('\n'));
      for (const side of sides) {
        const env = { IMAGE: tagOf(name) };
        const used = await side.run(['sh', '-ec', example.use], { env, timeoutMs: 300_000 });
        assert.equal(used.stdout, example.prints, used.stderr);
      }
    });
  }
});
