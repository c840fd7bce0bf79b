import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NamedContext } from '../../src/build/request.ts';
import { BuilderWorld, hitsOf } from '../support/builder.ts';
import { GitServer } from '../support/git-server.ts';

let world: BuilderWorld;
let git: GitServer;
before(async () => {
  world = await BuilderWorld.open();
  await world.makeBase();
  git = await GitServer.start();
});
after(async () => {
  // Nothing was opened when every test was filtered out.
  if (world === undefined) return;
  git?.close();
  assert.deepEqual(world.storage.snapshots.list(), [], 'no snapshot is left behind');
  await world.close();
});

/** A directory as a named context. */
function directory(files: Record<string, string>): NamedContext {
  const path = mkdtempSync(join(world.directory, 'named-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return { type: 'directory', directory: path };
}

test('ADD of a git repository', async () => {
  const commit = git.commit('app', { 'a.txt': 'a', 'sub/b.txt': 'b' });
  git.git('app', 'tag', '--annotate', '--message=t', 'v1');
  git.commit('app', { 'a.txt': 'new' });
  const url = `${git.url}/app.git`;
  const build = (line: string) => world.build({ Dockerfile: `FROM scratch\n${line}` });
  const list = async (line: string) => world.list((await build(line)).imageId, '/x');
  assert.deepEqual(await list(`ADD ${url}#v1 /x`), [
    '644 0:0 file a.txt',
    '755 0:0 directory sub',
    '644 0:0 file sub/b.txt',
  ]);
  assert.equal(await world.read((await build(`ADD ${url} /x`)).imageId, '/x/a.txt'), 'new');
  assert.equal(await world.read((await build(`ADD ${url}#${commit} /x`)).imageId, '/x/a.txt'), 'a');
  assert.deepEqual(
    await list(`ADD --chown=7:8 --chmod=600 --checksum=${commit.slice(0, 12)} ${url}#v1:sub /x/`),
    ['600 7:8 file b.txt'],
  );
  assert.deepEqual(await list(`ADD --exclude=sub ${url}?tag=v1 /x/`), ['644 0:0 file a.txt']);
  const kept = await build(`ADD --keep-git-dir ${url} /x`);
  assert.match((await world.read(kept.imageId, '/x/.git/config'))!, new RegExp(`url = ${url}`));
  const asked = git.requests.length;
  assert.deepEqual(hitsOf(await build(`ADD ${url} /x`)), [`ADD ${url} /x: hit`]);
  assert.equal(git.requests.length, asked + 2, 'a hit asks for the commit and fetches nothing');
  const faults: [line: string, message: RegExp][] = [
    [`ADD ${url}#none /x`, /^failed to fetch|repository does not contain ref none/],
    [`ADD --checksum=${'0'.repeat(40)} ${url} /x`, /^EngineError: expected checksum to match 0{40}, got /],
    [`ADD ${url}#:none /x`, /invalid subdir none/],
    [`ADD ${git.url}/none.git /x`, /failed to fetch remote .*\/none\.git: git stderr:/],
    [`ADD ${url}#--upload-pack=x /x`, /invalid git ref "--upload-pack=x"/],
    [`COPY ${url} /x`, /source can't be a git ref for COPY/],
  ];
  for (const [line, message] of faults) await assert.rejects(build(line), message, line);
});

test('a git repository is the context', async () => {
  git.commit('context', {
    'd/Dockerfile': 'FROM scratch\nCOPY . /',
    'd/kept': '1',
    'd/ignored': '2',
    'd/.dockerignore': 'ignored\n',
  });
  const contextUrl = `${git.url}/context.git#main:d`;
  const secrets = async (id: string) => (id === 'GIT_AUTH_TOKEN.127.0.0.1' ? Buffer.from('t') : undefined);
  const host = new URL(git.url).host;
  const { imageId } = await world.build(
    {},
    { contextUrl, secrets: id => secrets(id.replace(host, '127.0.0.1')) },
  );
  assert.deepEqual(
    (await world.list(imageId, '/')).map(line => line.split(' ')[3]),
    ['.dockerignore', 'Dockerfile', 'kept'],
  );
  const commitSeconds = Number(git.git('context', 'show', '--no-patch', '--format=%ct', 'main'));
  assert.equal(Date.parse(world.images.get(imageId)!.config.created!), commitSeconds * 1000);
  const basic = `basic ${Buffer.from('x-access-token:t').toString('base64')}`;
  assert.equal(git.requests.at(-1)?.authorization, basic);
});

test('hostile repositories (CVE-2022-39253): links, submodules, hooks and filters', async () => {
  const outside = mkdtempSync(join(world.directory, 'outside-'));
  writeFileSync(join(outside, 'secret'), 'host secret');
  const victim = join(git.directory, 'victim.git');
  const hit = join(outside, 'hit');
  git.commit('victim', { secret: 'host secret' });
  git.commit('links', {}, at => {
    symlinkSync(outside, join(at, 'out'));
    symlinkSync('../../../../../../../../etc', join(at, 'up'));
    writeFileSync(join(at, '.gitattributes'), '* filter=evil\n');
    mkdirSync(join(at, 'hooks'));
    writeFileSync(join(at, 'hooks/post-checkout'), `#!/bin/sh\ntouch ${hit}\n`, { mode: 0o755 });
  });
  const contextUrl = `${git.url}/links.git`;
  const build = (dockerfileText: string, url = contextUrl) =>
    world.build({}, { dockerfileText, contextUrl: url });
  await assert.rejects(build('FROM scratch\nCOPY out/secret /'), /file not found in build context/);
  await assert.rejects(build('FROM scratch\nCOPY up/passwd /'), /file not found in build context/);
  await assert.rejects(build('FROM scratch\nCOPY . /', `${contextUrl}#:out`), /invalid subdir out/);
  const added = await build(`FROM scratch\nADD ${contextUrl} /x`);
  assert.ok((await world.list(added.imageId, '/x')).includes(`777 0:0 symlink out -> ${outside}`));

  const submodule = (name: string, url: string, more = ''): string => {
    git.commit(name, {
      '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ${url}\n${more}`,
    });
    git.git(
      name,
      'update-index',
      '--add',
      '--cacheinfo',
      `160000,${git.git('victim', 'rev-parse', 'HEAD').trim()},s`,
    );
    git.git(name, 'commit', '--quiet', '--message=s');
    return `${git.url}/${name}.git`;
  };
  const refused: [name: string, url: string, message: RegExp, more?: string][] = [
    ['by-path', victim, /transport 'file' not allowed/],
    ['by-file', `file://${victim}`, /transport 'file' not allowed/],
    ['by-program', `ext::sh -c touch% ${hit}`, /transport 'ext' not allowed/],
    ['by-option', `-u${hit}`, /failed to fetch remote/],
    ['by-update', '../victim.git', /failed to fetch remote/, `\tupdate = !touch ${hit}\n`],
  ];
  for (const [name, url, message, more] of refused)
    await assert.rejects(build('FROM scratch\nCOPY . /', submodule(name, url, more)), message, name);
  // One that is where the repository is comes along, and leaves nothing of git.
  const { imageId } = await build('FROM scratch\nCOPY s /', submodule('by-url', '../victim.git'));
  assert.deepEqual(await world.list(imageId, '/'), ['644 0:0 file secret']);
  assert.deepEqual(
    await world.list(
      (await build(`FROM scratch\nADD ${submodule('skipped', victim)}?submodules=false /x`)).imageId,
      '/x',
    ),
    ['644 0:0 file .gitmodules', '755 0:0 directory s'],
  );
  assert.equal(existsSync(hit), false, 'no program of a repository was started');
});

test('--parents keeps directories as they are, from where the path says', async () => {
  const files = { 'a/b/f': '1', 'a/b/g': '2', 'a/c2/b/f': '3', 'd/e': '4' };
  const prepare = (context: string): void => chmodSync(join(context, 'a/b'), 0o750);
  const copy = async (line: string): Promise<string[]> => {
    const built = await world.build(
      { ...files, Dockerfile: `FROM scratch\nCOPY --parents ${line}` },
      {},
      { prepare },
    );
    return (await world.list(built.imageId, '/')).map(entry => entry.replace(/^(\d+) (\S+) \S+/, '$1 $2'));
  };
  const cases: [line: string, expected: string[]][] = [
    ['a/b/f d/e /', ['755 0:0 a', '750 0:0 a/b', '644 0:0 a/b/f', '755 0:0 d', '644 0:0 d/e']],
    ['./a/./b/f /x/', ['755 0:0 x', '750 0:0 x/b', '644 0:0 x/b/f']],
    ['a/b /', ['755 0:0 a', '750 0:0 a/b', '644 0:0 a/b/f', '644 0:0 a/b/g']],
    ['a/c*/./**/f /', ['755 0:0 b', '644 0:0 b/f']],
    ['--chown=5:6 --chmod=u=rwX,go= a/./b/f /', ['700 5:6 b', '600 5:6 b/f']],
    ['none* /x/', ['755 0:0 x']],
  ];
  for (const [line, expected] of cases) assert.deepEqual(await copy(line), expected, line);
});

test('named contexts stand for stages and images', async () => {
  const contexts: Record<string, NamedContext> = {
    files: directory({ f: 'named', left: 'x', '.dockerignore': 'left\n' }),
    base: directory({ g: 'instead of the stage' }),
    'docker.io/library/debian:latest': { type: 'image', reference: 'busybox' },
    repository: { type: 'git', url: `${git.url}/named.git` },
  };
  git.commit('named', { r: 'repository' });
  const dockerfile = [
    'FROM nowhere AS base',
    'RUN false',
    'FROM files AS from-files',
    'FROM debian',
    'COPY --from=files / /files/',
    'COPY --from=base /g /g',
    'COPY --from=repository /r /r',
    'COPY --from=from-files /f /again',
    'RUN --mount=from=files,target=/m,rw cat /m/f > /o && echo gone > /m/f && cat /m/f >> /o',
    'RUN --mount=from=files,target=/m cat /m/f >> /o',
    'RUN --mount=target=/m,rw cat /m/c >> /o && rm /m/c',
  ];
  const files = { Dockerfile: dockerfile.join('\n'), c: ' context' };
  const { imageId } = await world.build(files, { contexts });
  const read = (path: string) => world.read(imageId, path);
  assert.deepEqual(
    [await read('/o'), await read('/g'), await read('/r'), await read('/again')],
    ['namedgone\nnamed context', 'instead of the stage', 'repository', 'named'],
  );
  assert.deepEqual(await world.list(imageId, '/files'), ['644 0:0 file .dockerignore', '644 0:0 file f']);
  // The target may be a stage that a context stands for.
  const only = await world.build(files, { contexts, target: 'base', labels: { l: '1' } });
  assert.deepEqual(await world.list(only.imageId, '/'), ['644 0:0 file g']);
  assert.deepEqual(only.image.config.config?.Labels, { l: '1' });
});
