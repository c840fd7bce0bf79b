import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { controlService } from '../../src/api/buildkit/control.ts';
import { GrpcConnection } from '../../src/api/grpc/client.ts';
import { repository } from '../support/daemon.ts';
import { privateRegistryAddress, startPrivateRegistry } from '../support/registry.ts';
import type { Outcome } from '../support/run-program.ts';
import { settled } from '../support/settled.ts';
import { buildxConfig } from '../support/sid-plugins.ts';
import { Machine } from './machine.ts';

/** Generous: a build is one of many programs on a busy machine. */
const timeoutMs = 180_000;

/** The real buildx against the daemon: what it builds, what it says, and what it leaves. */
describe('docker buildx', () => {
  let machine: Machine;
  let env: Record<string, string>;
  let folder: string;

  before(async () => {
    machine = await Machine.start('buildx');
    await startPrivateRegistry(machine.world);
    env = { DOCKER_BUILDKIT: '1', DOCKER_CONFIG: await buildxConfig(machine.world.path('buildx')) };
    folder = machine.world.path('context');
    mkdirSync(join(folder, 'src/deep'), { recursive: true });
    writeFileSync(join(folder, 'src/a'), 'first\n');
    writeFileSync(join(folder, 'src/deep/run.sh'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
    writeFileSync(join(folder, 'src/left.out'), 'x');
    writeFileSync(join(folder, '.dockerignore'), '**/*.out\n');
    writeFileSync(
      join(folder, 'Dockerfile'),
      `FROM busybox AS tools
RUN echo tool > /tool && echo said-out && echo said-err >&2

FROM busybox
ARG GREETING=hello
ENV LEVEL=1
COPY src /src
COPY --from=tools /tool /tool
RUN echo "$GREETING" > /greeting
CMD ["cat", "/greeting"]
`,
    );
  });

  after(async () => machine?.stop());

  function buildx(args: string[], options: { input?: string } = {}): Promise<Outcome> {
    return machine.docker.run(['buildx', ...args], { cwd: folder, env, timeoutMs, ...options });
  }

  async function build(...args: string[]): Promise<Outcome> {
    const outcome = await buildx(['build', '--progress', 'plain', ...args]);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  }

  function dockerfile(text: string): string {
    const path = join(folder, 'Other.Dockerfile');
    writeFileSync(path, text);
    return path;
  }

  test('an image, with steps, output and names as BuildKit has them', async () => {
    const { stderr } = await build('-t', 'app:1', '-t', 'app:2', '--build-arg', 'GREETING=hi', '.');
    assert.match(stderr, /\[tools 2\/2\] RUN echo tool > \/tool/);
    assert.match(stderr, /\[stage-1 2\/4\] COPY src \/src/);
    assert.doesNotMatch(stderr, /ENV LEVEL/);
    assert.match(stderr, / said-out\n/);
    assert.match(stderr, / said-err\n/);
    assert.match(stderr, /naming to docker\.io\/library\/app:2 done/);
    assert.equal(await machine.docker.must('run', '--rm', 'app:1'), 'hi');
    assert.equal(
      await machine.docker.must('run', '--rm', 'app:2', 'sh', '-c', 'cat /src/a; /src/deep/run.sh; ls /src'),
      'first\nran\na\ndeep',
    );
  });

  test('what has not changed comes from the cache and is not sent again', async () => {
    writeFileSync(join(folder, 'src/large'), Buffer.alloc(3_000_000, 'l'));
    const first = await build('-t', 'app:3', '.');
    assert.match(first.stderr, /transferring context: 3\.\d+MB/);
    const again = await build('-t', 'app:3', '.');
    assert.match(again.stderr, /\[stage-1 2\/4\] COPY src \/src\n#\d+ CACHED/);
    assert.doesNotMatch(again.stderr, /transferring context: [\d.]+[kM]B/);
    writeFileSync(join(folder, 'src/a'), 'second, longer\n');
    await build('-t', 'app:3', '.');
    assert.equal(await machine.docker.must('run', '--rm', 'app:3', 'cat', '/src/a'), 'second, longer');
    // As long as before, and a file less: nothing that is remembered of the context may hide it.
    writeFileSync(join(folder, 'src/a'), 'SECOND, LONGER\n');
    rmSync(join(folder, 'src/large'));
    for (const _ of ['new', 'cached']) await build('-t', 'app:3', '.');
    assert.equal(
      await machine.docker.must('run', '--rm', 'app:3', 'sh', '-c', 'cat /src/a; ls /src'),
      'SECOND, LONGER\na\ndeep',
    );
    writeFileSync(join(folder, 'src/a'), 'second, longer\n');
  });

  test('by gantry build, not even the list of files is sent again', async () => {
    const line = `cd ${folder} && DOCKER_BUILDKIT=1 ${repository}/gantry build --progress plain -t app:4 . 2>&1`;
    writeFileSync(join(folder, 'src/large'), Buffer.alloc(3_000_000, 'l'));
    assert.match(await machine.must(line), /transferring context: 3\.\d+MB/);
    // What is this new counts as changed: once to remember it, once more to know it again.
    await sleep(2_100);
    await machine.must(line);
    assert.doesNotMatch(await machine.must(line), /transferring context: [\d.]+[kM]B/);
    // As long as before, and a file less.
    writeFileSync(join(folder, 'src/a'), 'SECOND! LONGER\n');
    rmSync(join(folder, 'src/large'));
    const contents = () => machine.docker.must('run', '--rm', 'app:4', 'sh', '-c', 'cat /src/a; ls /src');
    for (const _ of ['new', 'cached']) await machine.must(line);
    assert.equal(await contents(), 'SECOND! LONGER\na\ndeep');
    writeFileSync(join(folder, 'src/a'), 'second, longer\n');
    await machine.must(line);
    assert.equal(await contents(), 'second, longer\na\ndeep');
  });

  test('a context that nobody needs is not sent', async () => {
    const unused = await build('-f', dockerfile('FROM busybox\nCOPY <<text /text\ntext\n'), '.');
    assert.doesNotMatch(unused.stderr, /load build context/);
    const faulty = ['FROM busybox\nCOPY . /\nFOO x\n', 'FROM busybox\nCOPY . /\nFROM busybox:${X%}\n'];
    for (const text of faulty) {
      const { code, stderr } = await buildx(['build', '--progress', 'plain', '-f', dockerfile(text), '.']);
      assert.equal(code, 1, stderr);
      assert.doesNotMatch(stderr, /load build context/);
    }
    // A trigger of the base wants it though the Dockerfile does not say so.
    await build('-f', dockerfile('FROM busybox\nONBUILD COPY src/a /a\n'), '-t', 'triggering', '.');
    await build('-f', dockerfile('FROM triggering\n'), '-t', 'triggered', '.');
    assert.equal(await machine.docker.must('run', '--rm', 'triggered', 'cat', '/a'), 'second, longer');
  });

  test('a Dockerfile and a .dockerignore can be links, whichever client sends them', async () => {
    const linked = machine.world.path('linked');
    mkdirSync(join(linked, 'sub'), { recursive: true });
    writeFileSync(join(linked, 'sub/real'), 'FROM busybox\nCOPY . /c\n');
    writeFileSync(join(linked, 'sub/ignored'), 'left\n');
    writeFileSync(join(linked, 'left'), '');
    symlinkSync('sub/real', join(linked, 'Dockerfile'));
    symlinkSync('/sub/ignored', join(linked, '.dockerignore'));
    await build('-t', 'linked:buildx', linked);
    await machine.must(`DOCKER_BUILDKIT=1 ${repository}/gantry build -q -t linked:gantry ${linked}`);
    for (const client of ['buildx', 'gantry']) {
      const names = await machine.docker.must('run', '--rm', `linked:${client}`, 'ls', '-A', '/c');
      assert.equal(names, '.dockerignore\nDockerfile\nsub');
    }
  });

  test('what was sent for a build that failed is not sent again', async () => {
    const big = join(folder, 'src/sent');
    writeFileSync(big, Buffer.alloc(2_000_000, 's'));
    const failing = dockerfile('FROM busybox\nCOPY src /src\nRUN false\n');
    const args = ['build', '--progress', 'plain', '--no-cache', '-f', failing, '.'];
    assert.match((await buildx(args)).stderr, /transferring context: [\d.]+MB/);
    assert.doesNotMatch((await buildx(args)).stderr, /transferring context: [\d.]+[kM]B/);
  });

  test('an image is known by its name, not by the beginning of its id', async () => {
    const id = await machine.docker.must('image', 'inspect', '--format', '{{.Id}}', 'busybox');
    const beginning = id.slice('sha256:'.length, 'sha256:'.length + 12);
    const refused = await buildx(['build', '-f', dockerfile(`FROM ${beginning}\n`), '.']);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, />>> FROM /);
    await machine.docker.must('tag', 'busybox', beginning.slice(0, 2));
    await build('-f', dockerfile(`FROM ${beginning.slice(0, 2)}\nRUN true\n`), '.');
    await build('-f', dockerfile(`FROM ${id}\nRUN true\n`), '.');
  });

  test('a failed step, with the place in the Dockerfile', async () => {
    const path = dockerfile('FROM busybox\nRUN echo before && exit 7\n');
    const { code, stderr } = await buildx(['build', '--progress', 'plain', '-f', path, '.']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Other\.Dockerfile:2\n-+\n\s+1 \|\s+FROM busybox\n\s+2 \| >>> RUN echo before && exit 7\n/,
    );
    assert.match(
      stderr,
      /failed to solve: process "\/bin\/sh -c echo before && exit 7" did not complete successfully: exit code: 7/,
    );
    const faulty = await buildx(['build', '-f', dockerfile('FROM busybox\nFOO x\n'), '.']);
    assert.equal(faulty.code, 1);
    assert.match(faulty.stderr, /unknown instruction: FOO/);
  });

  test('secrets reach the step and nothing else', async () => {
    writeFileSync(machine.world.path('token'), 'opens-everything');
    const path = dockerfile(
      'FROM busybox\nRUN --mount=type=secret,id=token,required=true wc -c < /run/secrets/token > /size\n',
    );
    await build(
      '-f',
      path,
      '--secret',
      `id=token,src=${machine.world.path('token')}`,
      '-t',
      'secretive',
      '.',
    );
    assert.equal(await machine.docker.must('run', '--rm', 'secretive', 'cat', '/size'), '16');
    const without = await buildx(['build', '--no-cache', '-f', path, '.']);
    assert.equal(without.code, 1, without.stderr);
    assert.match(without.stderr, /token/);
  });

  test('a Dockerfile and a context from standard input', async () => {
    const piped = await buildx(['build', '-t', 'piped', '-'], {
      input: 'FROM busybox\nRUN echo piped > /p\n',
    });
    assert.equal(piped.code, 0, piped.stderr);
    assert.equal(await machine.docker.must('run', '--rm', 'piped', 'cat', '/p'), 'piped');
    const line = `tar -C ${folder} -c . | docker buildx build -t tarred -`;
    const tarred = await machine.docker.shell(line, { env, timeoutMs });
    assert.equal(tarred.code, 0, tarred.stderr);
    assert.equal(await machine.docker.must('run', '--rm', 'tarred'), 'hello');
  });

  test('results beside the image store: a directory, archives, and no image left behind', async () => {
    const images = await machine.docker.must('images', '-aq', '--no-trunc');
    const path = dockerfile('FROM scratch\nCOPY --chmod=750 src/deep /deep\nCOPY src/a /a\n');
    const target = machine.world.path('result');
    await build('-f', path, '-o', target, '.');
    assert.deepEqual(readdirSync(target).sort(), ['a', 'deep']);
    assert.equal(statSync(join(target, 'deep/run.sh')).mode & 0o777, 0o750);
    const archive = machine.world.path('result.tar');
    await build('-f', path, '-o', `type=oci,dest=${archive},name=elsewhere:1`, '.');
    assert.match(readFileSync(archive).toString('latin1'), /oci-layout/);
    await build('-f', path, '-o', `type=tar,dest=${archive}`, '.');
    assert.match(readFileSync(archive).toString('latin1'), /deep\/run\.sh/);
    assert.equal(await machine.docker.must('images', '-aq', '--no-trunc'), images);
    await build('-f', path, '-o', `type=docker,dest=${archive},name=loaded:1`, '.');
    assert.match(await machine.docker.must('load', '-i', archive), /loaded:1/);
  });

  test('what came of a build, in files', async () => {
    const [iid, metadata] = [machine.world.path('iid'), machine.world.path('metadata')];
    await build('--iidfile', iid, '--metadata-file', metadata, '-t', 'filed', '.');
    const id = await machine.docker.must('image', 'inspect', '--format', '{{.Id}}', 'filed');
    assert.equal(readFileSync(iid, 'utf8'), id);
    const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>;
    assert.equal(told['containerimage.config.digest'], id);
    assert.equal(told['image.name'], 'docker.io/library/filed:latest');
    const quiet = await buildx(['build', '-q', '.']);
    assert.equal(quiet.stdout.trim(), id);
  });

  test('caches in a directory of the client, whichever client it is', async () => {
    const path = dockerfile('FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /made\nCOPY src /src\n');
    const [kept, other] = [machine.world.path('kept'), machine.world.path('ke\u00fcpt')];
    const text = ['-f', path, '-t', 'cached', '.'];
    const prune = 'docker rmi -f cached; docker builder prune -af';
    const exported = await build('--cache-to', `type=local,dest=${kept},mode=max`, ...text);
    assert.match(exported.stderr, /exporting cache to client directory/);
    const id = await machine.docker.must('inspect', '--format', '{{.Id}}', 'cached');
    const gantryBuild = `DOCKER_BUILDKIT=1 ${repository}/gantry build --progress plain`;
    const again = [`--cache-from type=local,src=${kept}`, `--cache-to type=local,dest=${other},tag=mine`];
    const { stderr } = await machine.shell(
      `${prune} && cd ${folder} && ${gantryBuild} ${again.join(' ')} ${text.join(' ')}`,
    );
    assert.equal(stderr.match(/CACHED\n/g)?.length, 3, stderr);
    assert.equal(await machine.docker.must('inspect', '--format', '{{.Id}}', 'cached'), id);
    await machine.must(prune);
    const back = await build('--cache-from', `type=local,src=${other},tag=mine`, ...text);
    assert.equal(back.stderr.match(/CACHED\n/g)?.length, 3, back.stderr);
    assert.equal(await machine.docker.must('inspect', '--format', '{{.Id}}', 'cached'), id);
    // One that is not what it says costs its hits.
    const blobs = join(kept, 'blobs/sha256');
    for (const name of readdirSync(blobs)) {
      rmSync(join(blobs, name));
      writeFileSync(join(blobs, name), 'else');
    }
    await machine.must(prune);
    const anew = await build('--cache-from', `type=local,src=${kept}`, ...text);
    assert.match(
      anew.stderr,
      /the cache .*kept cannot be used: the content of sha256:\w+ has another digest/,
    );
  });

  test('an OCI layout of the client as a context, gone after the build', async () => {
    const layout = machine.world.path('layout');
    const archive = machine.world.path('layout.tar');
    const path = dockerfile(
      'FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /made\nENV FROM_LAYOUT=yes\n',
    );
    await build('-f', path, '-o', `type=oci,dest=${layout},tar=false`, '.');
    await machine.must(`docker builder prune -af && docker images -aq --no-trunc > images`);
    const on = dockerfile(
      'FROM base\nCOPY --from=base /made /copied\nRUN cmp /made /copied && test $FROM_LAYOUT = yes\n',
    );
    const context = ['--build-context', `base=oci-layout://${layout}`];
    const { stderr } = await build('-f', on, ...context, '-o', `type=tar,dest=${archive}`, '.');
    assert.match(stderr, /\[context base\] OCI load from client/);
    const again = await machine.must(
      `cd ${folder} && DOCKER_BUILDKIT=1 ${repository}/gantry build --progress plain ${context.join(' ')} -f ${on} -t on-layout . 2>&1`,
    );
    assert.match(again, /RUN cmp .*\n#\d+ CACHED/);
    await machine.must('docker rmi on-layout && docker images -aq --no-trunc | cmp - images');
    // Content that is not what it is called is never used.
    for (const name of readdirSync(join(layout, 'blobs/sha256')))
      writeFileSync(join(layout, 'blobs/sha256', name), '{}');
    const wrong = await buildx(['build', '-f', on, ...context, '.']);
    assert.match(wrong.stderr, /the content of sha256:\w+ has another digest/);
    const missing = await buildx([
      'build',
      '-f',
      on,
      ...context.slice(0, -1),
      `${context[1]}@sha256:${'1'.repeat(64)}`,
      '.',
    ]);
    assert.match(missing.stderr, /content sha256:1+: not found/);
  });

  test('a push, and a cache in a registry, with what the client is logged in with', async () => {
    const name = `${privateRegistryAddress}/pushed`;
    const metadata = machine.world.path('pushed.json');
    const push = ['-t', `${name}:1`, '-t', `${name}:2`, '--push', '--metadata-file', metadata, '.'];
    const refused = await buildx(['build', ...push]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /failed to push localhost:5001\/pushed:1: push access denied, repository/);
    const login = ['login', '-u', 'me', '--password-stdin', privateRegistryAddress];
    await machine.docker.run(login, { env, input: 'secret', timeoutMs });
    const cache = ['--cache-to', `type=registry,ref=${name}:cache,mode=max`];
    const { stderr } = await build(...cache, ...push);
    assert.match(stderr, /pushing manifest for localhost:5001\/pushed:2@sha256:/);
    assert.match(stderr, /exporting cache to registry/);
    const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>;
    const id = told['containerimage.config.digest']!;
    assert.notEqual(told['containerimage.digest'], id);
    await machine.must(
      'docker rmi -f $(docker images -q --no-trunc localhost:5001/pushed); docker builder prune -af',
    );
    const source = ['--cache-from', `type=registry,ref=${name}:cache`];
    assert.match((await build(...source, '.')).stderr, /RUN echo tool .*\n#\d+ CACHED/);
    const pulled = await machine.docker.run(['pull', '-q', `${name}@${told['containerimage.digest']}`], {
      env,
      timeoutMs,
    });
    assert.equal(pulled.code, 0, pulled.stderr);
    const found = await machine.docker.must('images', '-q', '--no-trunc', name);
    assert.equal(found, id);

    // A push says how it came about without being asked, as buildx has it, and more on request.
    const inspect = async (tag: string, ...format: string[]) => {
      // The client asks the registry itself, which is in the world.
      const line = ['docker', 'buildx', 'imagetools', 'inspect', `${name}:${tag}`, ...format];
      const shown = await machine.world.run(line, { env: { ...process.env, ...env }, timeoutMs });
      assert.equal(shown.code, 0, shown.stderr);
      return shown.stdout.trim();
    };
    assert.match(await inspect('1'), /vnd.docker.reference.type: +attestation-manifest/);
    await build('--sbom=true', '--provenance=mode=max', '-t', `${name}:3`, '--push', '.');
    const format = '{{.SBOM.SPDX.spdxVersion}} {{.Provenance.SLSA.buildType}}';
    const said = await inspect('3', '--format', format);
    assert.equal(said, 'SPDX-2.3 https://mobyproject.org/buildkit@v1');
    await machine.docker.run(['logout', privateRegistryAddress], { env, timeoutMs });
  });

  test('bake: targets at once, one built on the other', async () => {
    writeFileSync(
      join(folder, 'docker-bake.hcl'),
      `group "default" { targets = ["app", "side"] }
target "base" { dockerfile-inline = "FROM busybox\\nRUN echo base > /base" }
target "app" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nRUN cp /base /app"
  tags = ["baked:app"]
}
target "side" {
  dockerfile-inline = "FROM busybox\\nCOPY src/a /a"
  tags = ["baked:side"]
}
`,
    );
    const { code, stderr } = await buildx(['bake']);
    assert.equal(code, 0, stderr);
    assert.equal(await machine.docker.must('run', '--rm', 'baked:app', 'cat', '/app'), 'base');
    assert.equal(await machine.docker.must('run', '--rm', 'baked:side', 'cat', '/a'), 'second, longer');
  });

  test('the linter, the builder, its cache', async () => {
    const path = dockerfile('from busybox AS Upper\nRUN true\n');
    const check = await buildx(['build', '--check', '-f', path, '.']);
    assert.equal(check.code, 1);
    assert.match(check.stdout, /WARNING: StageNameCasing/);
    assert.match((await build('-f', path, '.')).stderr, /warnings? found/);
    const list = await buildx(['ls']);
    assert.match(list.stdout, /default\*?\s+docker\s/);
    assert.match(list.stdout, /running.*linux\//);
    const before = await buildx(['du', '--verbose']);
    assert.match(before.stdout, /Description:\s+RUN true/);
    const runs = await buildx(['du', '--filter', 'description~=^RUN']);
    assert.match(runs.stdout, /sha256:/);
    assert.equal((await buildx(['du', '--filter', 'type=source.git.checkout'])).stdout.split('\n')[1], '');
    const own = `DOCKER_BUILDKIT=1 ${repository}/gantry buildx du --filter`;
    assert.match(
      await machine.must(`${own} 'description~=^RUN'; ${own} type=none`),
      /sha256:[\s\S]*Total:\t+0B$/,
    );
    const history = await buildx(['history', 'ls']);
    assert.match(history.stdout, /Completed/);
    assert.match(history.stdout, /Error/);
    const failed = await buildx(['history', 'ls', '--filter', 'status=error']);
    assert.doesNotMatch(failed.stdout, /Completed/);
    assert.match(failed.stdout, /Error/);
    assert.match((await buildx(['history', 'rm', 'nothing'])).stderr, /no record found for ref "nothing"/);
    const pruned = await buildx(['prune', '-af']);
    assert.equal(pruned.code, 0, pruned.stderr);
    assert.match((await buildx(['du'])).stdout, /Total:\s+0B/);
  });

  test('several platforms are one index, and a folder for each', async () => {
    const path = dockerfile(`FROM --platform=$BUILDPLATFORM busybox AS tools
ARG TARGETARCH
RUN echo $TARGETARCH > /arch
FROM scratch
COPY --from=tools /arch /
`);
    const args = ['--platform', 'linux/amd64,linux/arm64', '-f', path, '.'];
    const { stderr } = await build('-t', 'multi', '--metadata-file', join(folder, 'multi.json'), ...args);
    assert.match(stderr, /\[linux\/amd64->arm64 tools 2\/2\] RUN echo/);
    const metadata = JSON.parse(readFileSync(join(folder, 'multi.json'), 'utf8'));
    const { mediaType } = metadata['containerimage.descriptor'];
    assert.equal(mediaType, 'application/vnd.oci.image.index.v1+json');
    const image = await machine.docker.run(['image', 'inspect', 'multi', '-f', '{{.Architecture}}'], { env });
    assert.equal(image.stdout.trim(), 'amd64');
    await build('-o', join(folder, 'folders'), ...args);
    assert.equal(readFileSync(join(folder, 'folders/linux_arm64/arch'), 'utf8'), 'arm64\n');
    assert.equal(readFileSync(join(folder, 'folders/linux_amd64/arch'), 'utf8'), 'amd64\n');
  });

  test('what can be given to a build, and what can be built, whichever client asks', async () => {
    const path = dockerfile(
      '# base is for tests\nFROM busybox AS base\n# A is the first\nARG A=1\nFROM base\nRUN --mount=type=secret,id=s true\n',
    );
    const gantryBuild = `cd ${folder} && DOCKER_BUILDKIT=1 ${repository}/gantry build -f ${path}`;
    for (const [call, expected] of [
      ['outline', /^BUILD ARG +VALUE +DESCRIPTION\nA +1 +is the first\n\nSECRET +REQUIRED\ns +\n/],
      ['targets', /^TARGET +DESCRIPTION\nbase +is for tests\n\(default\) +\n/],
      ['targets,format=json', /"name": "base",\n +"description": "is for tests"/],
    ] as const) {
      const { code, stdout, stderr } = await buildx(['build', '--call', call, '-f', path, '.']);
      assert.equal(code, 0, stderr);
      assert.match(stdout, expected);
      assert.equal(await machine.must(`${gantryBuild} --call ${call} .`), stdout.trimEnd());
    }
    const missing = await buildx(['build', '--call', 'outline', '--target', 'none', '.']);
    assert.match(missing.stderr, /failed to solve: target stage "none" could not be found\n/);
    const described = await buildx(['build', '--call', 'subrequests.describe', '.']);
    assert.match(described.stdout, /outline[\s\S]*targets[\s\S]*lint/);
  });

  test('what is not there is refused by name', async () => {
    for (const [args, message] of [
      [['--sbom=generator=example/scanner'], /generator example\/scanner is not supported/],
      [['--call', 'nonsense'], /unsupported request frontend\.nonsense/],
    ] as const) {
      const { code, stderr } = await buildx(['build', ...args, '.']);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
    }
  });

  test('a client that goes away ends its build', async () => {
    const path = dockerfile('FROM busybox\nRUN echo begun && sleep 3600\n');
    // Once the step has said something it is interrupted, as by Ctrl-C.
    const line = `docker buildx build --progress plain -f ${path} . >out 2>&1 &
until grep -qE '^#[0-9]+ [0-9.]+ begun$' out; do sleep 0.1; done
kill -INT $!
wait $!; echo "ended with $?"
cat out`;
    const { stdout } = await machine.docker.shell(line, { cwd: folder, env, timeoutMs });
    assert.match(stdout, /context canceled|CANCELED/);
    assert.match(stdout, /^ended with [1-9]/m);
    await settled(async () => {
      const { stdout: processes } = await machine.world.run(['ps', '-eo', 'args']);
      assert.doesNotMatch(processes, /sleep 3600/);
    });
  });

  test('a client with nothing to say, or nonsense, harms nobody', async () => {
    const socket = await upgraded(machine.daemon.socket, '/grpc');
    const connection = GrpcConnection.over(socket);
    const solve = controlService.solve.path;
    await assert.rejects(connection.unary(solve, Buffer.from('ff', 'hex')), /cut off/);
    await assert.rejects(
      connection.unary('/moby.buildkit.v1.Control/Nothing', Buffer.alloc(0)),
      /unknown method/,
    );
    connection.close();
    const noise = await upgraded(machine.daemon.socket, '/grpc');
    noise.resume().end(Buffer.alloc(100_000, 'no HTTP/2 at all '));
    await new Promise(resolve => noise.once('close', resolve));
    assert.match(await machine.docker.must('version', '--format', '{{.Server.Version}}'), /\d/);
  });

  test('a daemon that stops ends the builds it has', async () => {
    const path = dockerfile('FROM busybox\nRUN echo begun && sleep 4800\n');
    const line = `docker buildx build --progress plain -f ${path} . >out 2>&1 &
until grep -qE '^#[0-9]+ [0-9.]+ begun$' out; do sleep 0.1; done
kill -TERM ${machine.daemon.pid}
wait $!; echo "ended with $?"`;
    const { stdout } = await machine.docker.shell(line, { cwd: folder, env, timeoutMs });
    assert.match(stdout, /^ended with [1-9]/m);
    await settled(async () => {
      const { stdout: processes } = await machine.world.run(['ps', '-eo', 'args']);
      assert.doesNotMatch(processes, /sleep 4800/);
    });
  });
});

function upgraded(path: string, url: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => {});
  socket.write(`POST ${url} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
  return new Promise(resolve => {
    socket.once('data', (chunk: Buffer) => {
      // HTTP/2 may begin in the same packet.
      socket.pause();
      socket.unshift(chunk.subarray(chunk.indexOf('\r\n\r\n') + 4));
      resolve(socket);
    });
  });
}
