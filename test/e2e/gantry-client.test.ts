import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { startPrivateRegistry } from '../support/registry.ts';
import type { Outcome } from '../support/run-program.ts';
import { Machine } from './machine.ts';

/** Gantry's own client, command by command, as its user types them. */
describe('gantry, the client', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('client', { registry: true });
    // A fresh checkout makes the bundle now, not within the first command's time.
    await machine.must(`${repository}/gantry setup`, 120_000);
    await startPrivateRegistry(machine.world);
  });
  after(() => machine?.stop());

  const shell = (line: string): Promise<Outcome> =>
    machine.docker.shell(line, {
      cwd: machine.world.path('work'),
      timeoutMs: 120_000,
      env: { PATH: `${machine.world.path('work')}:${repository}:${machine.docker.env['PATH']}` },
    });
  const must = async (line: string): Promise<string> => {
    const outcome = await shell(line);
    assert.equal(outcome.code, 0, `${line}\n${outcome.stdout}${outcome.stderr}`);
    return outcome.stdout.trimEnd();
  };
  /** Status, stderr's first line. */
  const refused = async (line: string): Promise<[number | null, string]> => {
    const { code, stderr } = await shell(line);
    return [code, stderr.split('\n')[0]!];
  };
  /** On a terminal of 30 rows and 90 columns, while `typed` (shell that prints keys) goes in. */
  const onTerminal = async (command: string, typed = 'sleep 0.1') => {
    const quoted = `stty rows 30 cols 90; ${command}`.replaceAll("'", `'\\''`);
    return shell(`{ ${typed}; } | script -qfec '${quoted}' /dev/null; exit $?`);
  };

  test('run: streams, environment, files, exit codes', async () => {
    const outcome = await shell("gantry run --rm busybox sh -c 'echo out; echo err >&2; exit 7'");
    assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [7, 'out\n', 'err\n']);
    assert.equal(await must('head -c 300000 /dev/zero | gantry run --rm -i busybox wc -c'), '300000');
    assert.equal(
      await must(
        "printf '# no\\nB=2\\n' > list; gantry run --rm --env-file list -e A=1 -w /tmp -u 1000 busybox sh -c 'echo $A $B $PWD $(id -u)'",
      ),
      '1 2 /tmp 1000',
    );
    assert.equal(
      await must(
        'gantry run --rm --entrypoint echo -v "$PWD:/w:ro" --mount type=tmpfs,dst=/t --cidfile id busybox hi; wc -c < id',
      ),
      'hi\n64',
    );
    assert.deepEqual(
      [
        (await refused('gantry run --rm busybox nosuchprogram'))[0],
        (await refused('gantry run --rm busybox /etc'))[0],
        (await refused('gantry run --rm --memory 1k busybox true'))[0],
      ],
      [127, 126, 125],
    );
  });

  test('run: what is wrong with a flag is said before anything is done', async () => {
    assert.deepEqual(await refused('gantry run -e =x busybox'), [
      125,
      'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x',
    ]);
    assert.deepEqual(await refused('gantry run BusyBox'), [
      125,
      'gantry: invalid reference format: repository name (library/BusyBox) must be lowercase',
    ]);
    assert.deepEqual(await refused('gantry run --env-file nosuch busybox'), [
      125,
      'gantry: open nosuch: no such file or directory',
    ]);
    assert.deepEqual(await refused('gantry create --no-healthcheck --health-cmd x busybox'), [
      125,
      'gantry: --no-healthcheck conflicts with --health-* options',
    ]);
    assert.equal(await must('gantry ps -aq --filter status=created'), '');
  });

  test('a container, from run -d to rm', async () => {
    await must(
      'gantry run -d --name web --init -p 127.0.0.1::80 --restart on-failure:2 --cpus 0.5 -m 64m --label a=b busybox sleep 100',
    );
    assert.equal(await must("gantry exec -e A=5 -w /tmp web sh -c 'echo $A $PWD'"), '5 /tmp');
    assert.equal(await must('echo in | gantry exec -i web cat'), 'in');
    assert.equal((await shell("gantry exec web sh -c 'exit 9'")).code, 9);
    assert.match(await must('gantry port web 80'), /^127\.0\.0\.1:\d+$/);
    assert.equal(
      await must("gantry ps --filter label=a=b --format '{{.Names}} {{.Image}} {{.Command}}'"),
      'web busybox "sleep 100"',
    );
    assert.match(await must('gantry ps --filter name=web'), /^CONTAINER ID +IMAGE +COMMAND +CREATED/);
    assert.match(await must('gantry top web'), /sleep 100/);
    assert.match(await must('gantry stats --no-stream web'), /web .*64MiB/);
    assert.equal(await must('gantry pause web && gantry unpause web'), 'web\nweb');
    assert.equal(await must('gantry update --memory 128m --memory-swap 256m web'), 'web');
    assert.equal(
      await must("gantry inspect -f '{{.HostConfig.Memory}} {{.State.Health}} {{json .Config.Labels}}' web"),
      '134217728 <nil> {"a":"b"}',
    );
    assert.equal(await must('gantry rename web site && gantry restart -t 0 site'), 'site');
    assert.equal(
      await must('gantry wait site > code & sleep 0.2; gantry kill site; wait; cat code'),
      'site\n137',
    );
    assert.deepEqual(await refused('gantry attach site'), [
      1,
      'You cannot attach to a stopped container, start it first',
    ]);
    assert.equal(await must('gantry rm -f site nosuch'), 'site');
    assert.deepEqual(await refused('gantry inspect site'), [1, 'Error: No such object: site']);
  });

  test('logs', async () => {
    await must(
      "gantry run --name talk busybox sh -c 'echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three'",
    );
    assert.equal(await must('gantry logs -n 1 talk'), 'three');
    assert.match(await must('gantry logs -t talk 2>/dev/null'), /^\d{4}-\d\d-\d\dT[\d:.]+Z one\n/);
    assert.equal(await must('gantry logs -f talk 2>/dev/null'), 'one\nthree');
    assert.equal(await must('gantry logs --until 2000-01-01 talk'), '');
    assert.equal(await must('gantry start -a talk 2>/dev/null; gantry rm talk'), 'one\nthree\ntalk');
  });

  test('cp, diff, export, import, commit', async () => {
    await must('gantry create --name box busybox true; echo data > f; gantry cp -q f box:/f');
    assert.equal(await must('gantry cp box:/f - | tar xO; gantry cp box:/f g && cat g'), 'data\ndata');
    assert.equal(await must('tar c f | gantry cp - box:/tmp; gantry diff box'), 'A /f\nC /tmp\nA /tmp/f');
    assert.equal(await must('gantry export box | tar xO f'), 'data');
    assert.match(
      await must('gantry export -o e.tar box; gantry import -c \'CMD ["sh"]\' e.tar made:1'),
      /^sha256:/,
    );
    assert.match(await must("gantry commit -m why -c 'ENV A=1' box made:2"), /^sha256:/);
    assert.equal(
      await must("gantry inspect -f '{{.Comment}} {{json .Config.Env}}' made:2 | cut -c1-3"),
      'why',
    );
    await must('gantry rm box; gantry rmi made:1 made:2');
  });

  test('images: tag, history, save, load, push, pull, rmi', async () => {
    await must('gantry tag busybox localhost:5000/me/b:1');
    assert.match(
      await must('gantry push localhost:5000/me/b:1'),
      /: Pushed\n1: digest: sha256:[0-9a-f]{64} size: \d+$/,
    );
    assert.equal(
      await must('gantry rmi localhost:5000/me/b:1 | head -n 1'),
      'Untagged: localhost:5000/me/b:1',
    );
    const fetched = await shell('gantry run --rm localhost:5000/me/b:1 echo ran');
    assert.equal(fetched.stdout, 'ran\n');
    assert.match(
      fetched.stderr,
      /^Unable to find image 'localhost:5000\/me\/b:1' locally\n1: Pulling from me\/b\n/,
    );
    assert.match((await onTerminal('gantry pull localhost:5000/me/b:1')).stdout, /Image is up to date/);
    assert.match(await must('gantry history --no-trunc busybox'), /^IMAGE +CREATED/);
    assert.equal(await must('gantry save busybox | gantry load'), 'Loaded image: busybox:latest');
    assert.equal(
      await must('gantry save -o b.tar busybox && gantry load -q -i b.tar'),
      'Loaded image: busybox:latest',
    );
    assert.equal(await must("gantry images --format '{{.Repository}}' busybox"), 'busybox');
    assert.match(
      (await refused('gantry tag busybox Bad'))[1],
      /^Error parsing reference: "Bad" is not a valid/,
    );
    await must('gantry rmi localhost:5000/me/b:1');
  });

  test('login, with config.json and with a credential helper', async () => {
    const config = `${machine.docker.env['DOCKER_CONFIG']}/config.json`;
    await must('gantry tag busybox localhost:5001/p:1');
    assert.equal((await shell('gantry push localhost:5001/p:1')).code, 1);
    assert.equal((await shell('echo wrong | gantry login -u me --password-stdin localhost:5001')).code, 1);
    assert.equal(
      await must('echo secret | gantry login -u me --password-stdin localhost:5001'),
      'Login Succeeded',
    );
    assert.equal(await must('gantry login localhost:5001'), 'Login Succeeded');
    await must('gantry push -q localhost:5001/p:1 && gantry logout localhost:5001');
    assert.equal((await shell('gantry pull localhost:5001/p:1')).code, 1);
    const helper = machine.world.path('work', 'docker-credential-kept');
    writeFileSync(
      helper,
      '#!/bin/sh\nd=$(dirname "$0")/kept\ncase $1 in store) cat > $d ;; get) cat $d 2>/dev/null || { echo credentials not found in native keychain; exit 1; } ;; erase) rm -f $d ;; list) echo {} ;; esac\n',
    );
    chmodSync(helper, 0o755);
    writeFileSync(config, '{"credsStore": "kept"}');
    await must('gantry login -u me -p secret localhost:5001 && gantry pull -q localhost:5001/p:1');
    assert.doesNotMatch(readFileSync(config, 'utf8'), /c2VjcmV0|secret/);
    await must('gantry logout localhost:5001 && gantry rmi localhost:5001/p:1');
  });

  test('build', async () => {
    await must(
      "mkdir app; cd app; printf 'FROM busybox AS one\\nARG A=1\\nRUN echo $A > /a\\nFROM busybox\\nCOPY --from=one /a /a\\nCOPY . /app/\\nCMD cat /a\\n' > Dockerfile; echo no > skip; echo skip > .dockerignore",
    );
    assert.match(
      await must(
        'cd app; DOCKER_BUILDKIT=0 gantry build --build-arg A=7 -t app:1 -t app:2 --label l=m --iidfile ../iid .',
      ),
      /Successfully tagged app:1\nSuccessfully tagged app:2$/,
    );
    assert.equal(await must('gantry run --rm app:2; gantry run --rm app:2 ls /app'), '7\nDockerfile');
    assert.match(
      await must('cd app; gantry build -q .; cat ../iid'),
      /^sha256:[0-9a-f]{64}\nsha256:[0-9a-f]{64}$/,
    );
    const classic = 'DOCKER_BUILDKIT=0 gantry build -';
    assert.match(await must(`printf 'FROM busybox\\n' | ${classic}`), /Successfully built/);
    assert.equal((await shell(`printf 'FROM busybox\\nRUN exit 4\\n' | ${classic}`)).code, 4);
    assert.match(
      await must('cd app; gantry build --explain .'),
      /\nstep 3 \(RUN echo .*\): (cached|built), /,
    );
    const packed =
      "mkdir z; cd z; head -c 500000 /dev/zero > z; printf 'FROM busybox\\nCOPY z /z\\n' > Dockerfile";
    assert.match(
      await must(`${packed}; gantry build --compress .`),
      /^Sending build context to daemon {2}\d+B\n/,
    );
    await must('gantry rmi app:1 app:2; gantry builder prune -af; gantry image prune -f');
  });

  test("build by BuildKit's API", async () => {
    // The machine's environment is that of the classic builder.
    const kit = (line: string): Promise<Outcome> => shell(`export DOCKER_BUILDKIT=1; ${line}`);
    const done = (line: string): Promise<string> => must(`export DOCKER_BUILDKIT=1; ${line}`);
    const at = (path: string): string => machine.world.path(`work/kit/${path}`);
    await done('mkdir -p kit/more; cd kit; echo secret > value; echo m > more/m; ln -s more link');
    const dockerfile = [
      'FROM busybox AS one',
      'RUN --mount=type=secret,id=s --mount=type=secret,id=e,env=E cat /run/secrets/s > /s; echo $E >> /s',
      'FROM busybox',
      'COPY --from=one /s /',
      'COPY --from=extra m /',
      'COPY link/m /linked',
      'CMD cat /s',
    ];
    writeFileSync(at('Dockerfile'), dockerfile.join('\n'));
    const flags = '--secret id=s,src=value --secret id=e,env=TOKEN --build-context extra=more';
    const build = `cd kit; TOKEN=t gantry build ${flags}`;
    const { code, stderr } = await kit(`${build} -t kit --iidfile ../iid --metadata-file ../md .`);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^#0 building with/);
    assert.match(stderr, /naming to docker.io\/library\/kit/);
    assert.match(stderr, /1 warning found[\s\S]* - JSONArgsRecommended: .*\(line 7\)/);
    const id = await done('cat iid');
    assert.equal(JSON.parse(await done('cat md'))['containerimage.config.digest'], id);
    assert.equal(await done('gantry run --rm kit; gantry run --rm kit cat /m /linked'), 'secret\nt\nm\nm');
    assert.match((await kit(`${build} .`)).stderr, /COPY --from=one \/s \/\n#\d+ CACHED/);
    assert.match(
      (await kit(`${build} --memory 64m .`)).stderr,
      /--memory is for the classic builder: DOCKER_BUILDKIT=1 turns it off/,
    );
    // Other ways out, and other ways in.
    await done(`${build} -q -o ../tree . && TOKEN=t gantry build ${flags} -q -o type=oci,dest=../kit.tar .`);
    assert.equal(
      await done('cat tree/s; tar xOf kit.tar oci-layout'),
      'secret\nt\n{"imageLayoutVersion":"1.0.0"}',
    );
    const cut = await kit(
      "{ cd kit; printf 'FROM busybox\\n' | gantry build -q -o - -; echo $? >&2; } | head -c 1",
    );
    assert.equal(cut.stderr, '141\n', 'nobody reads the archive');
    const nowhere = await kit("printf 'FROM busybox\\n' | gantry build -q -o type=tar,dest=/no/x -");
    assert.match(nowhere.stderr, /: open \/no\/x: no such file or directory\n$/);
    const stdin = String.raw`printf 'FROM busybox\nCOPY value /v\n' | gantry build -q -f - kit`;
    assert.match(await done(stdin), /^sha256:/);
    await done(String.raw`printf 'FROM busybox\nCOPY value /v\n' > kit/D`);
    assert.match(await done('tar c -C kit value D | gantry build -q -f D -'), /^sha256:/);
    const failed = await kit(String.raw`printf 'FROM busybox\nRUN echo why; exit 4\n' | gantry build -`);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /------\n > .*RUN echo why; exit 4:\n[\d.]+ why\n------\n/);
    assert.match(failed.stderr, /\n {3}2 \| >>> RUN echo why; exit 4\n/);
    assert.match(failed.stderr, /ERROR: failed to build: failed to solve: process .* exit code: 4\n$/);
    const check = await kit('gantry build --check kit');
    assert.equal(check.code, 1);
    assert.match(check.stdout, /^Check complete, 1 warning has been found!\n\nWARNING: JSONArgsRecommended/);
    assert.match(check.stdout, /\nADVICE: RunsAsRoot\n/);
    const terminal = await onTerminal('DOCKER_BUILDKIT=1 gantry build -f kit/D kit');
    assert.match(terminal.stdout, /\[\+\] Building .* FINISHED/);
    assert.match(await done('gantry buildx du'), /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n[\s\S]*Total:/);
    await done('gantry rmi kit; gantry builder prune -af; gantry image prune -f; rm -r kit tree');
  });

  test('networks, volumes, system', async () => {
    await must('gantry network create --subnet 10.123.0.0/24 net; gantry volume create --label a=b vol');
    await must('gantry run -d --name here --network net --network-alias h -v vol:/data busybox sleep 100');
    assert.equal(
      await must('gantry run --rm --network net busybox ping -c 1 -W 2 h | grep -c "1 packets rec"'),
      '1',
    );
    assert.equal(await must("gantry network inspect -f '{{len .Containers}}' net"), '1');
    await must('gantry network connect bridge here && gantry network disconnect bridge here');
    assert.equal((await refused('gantry volume rm vol'))[0], 1);
    await must('gantry rm -f here; gantry network rm net; gantry volume rm vol');
    assert.match(await must('gantry system df'), /^TYPE +TOTAL +ACTIVE/);
    assert.match(await must("gantry info -f '{{.Driver}} {{.OSType}}'"), / linux$/);
    assert.match(await must("gantry version -f '{{.Server.APIVersion}}'"), /^1\.\d+$/);
    assert.match(
      await must("gantry events -f container=here --since 1m --until 0s --format '{{.Action}}'"),
      /^create\n/,
    );
    assert.match(await must('gantry system prune -f'), /Total reclaimed space/);
  });

  test('hosts, contexts, help', async () => {
    assert.equal(await must('GANTRY_HOST=$DOCKER_HOST DOCKER_HOST=tcp://127.0.0.1:1 gantry ps -q'), '');
    assert.equal(await must('env -u DOCKER_HOST gantry -H "$DOCKER_HOST" ps -q'), '');
    await must('gantry context create here --docker "host=$DOCKER_HOST"; gantry context use here');
    assert.equal(
      await must('env -u DOCKER_HOST gantry context show; env -u DOCKER_HOST gantry ps -q'),
      'here',
    );
    await must('gantry context use default; gantry context rm here');
    assert.equal((await refused('gantry -H tcp://127.0.0.1:1 ps'))[0], 1);
    assert.match(
      (await shell('gantry pss')).stderr,
      /unknown command: gantry pss\n\nDid you mean this\?\n\tps\n/,
    );
    assert.match((await shell('gantry -l debug ps -q')).stderr, /^DEBUG GET \S*\/containers\/json: 200$/m);
    assert.equal(await must("gantry -D info -f '{{.ClientInfo.Debug}}'"), 'true');
    assert.deepEqual(await refused('gantry -l loud ps'), [1, 'Unable to parse logging level: loud']);
    assert.match(await must('gantry run --help'), /--network network/);
    assert.match(await must('gantry completion bash'), /complete /);
  });

  test("config.json's proxies reach containers and builds as docker brings them there", async () => {
    const config = '{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b"}}}';
    writeFileSync(machine.world.path('work', 'Dockerfile'), 'FROM busybox\nRUN env | grep -i proxy | sort\n');
    await must(`mkdir -p proxied && echo '${config}' > proxied/config.json`);
    const seen = async (client: string) => [
      await must(`${client} --config proxied run --rm -e no_proxy=mine busybox env | grep -i proxy | sort`),
      await must(`DOCKER_BUILDKIT=0 ${client} --config proxied build --no-cache . 2>&1 | grep -i _proxy=`),
    ];
    assert.deepEqual(await seen('gantry'), await seen('docker'));
  });

  test('a terminal: size, keys, detaching, signals', async () => {
    const sized = await onTerminal("gantry run --rm -it busybox sh -c 'sleep 0.4; stty size; exit 3'");
    assert.match(sized.stdout, /30 90\r\n$/);
    // The container's terminal makes LF into CR LF; ours must not do it once more.
    assert.doesNotMatch(sized.stdout, /\r\r\n/);
    assert.equal(sized.code, 3);
    await onTerminal('gantry run -it --name tty busybox sh', "sleep 0.8; printf '\\020\\021'; sleep 0.3");
    const back = await onTerminal('gantry attach tty', "sleep 0.6; printf 'exit 6\\r'; sleep 0.4");
    assert.equal(back.code, 6);
    const signalled = await shell(
      'gantry run --rm --name sig busybox sh -c \'trap "echo told; exit 8" TERM; echo up; while :; do sleep 0.1; done\' > out & until grep -q up out; do sleep 0.05; done; kill -TERM $!; wait $!; s=$?; cat out; exit $s',
    );
    assert.deepEqual([signalled.code, signalled.stdout], [8, 'up\ntold\n']);
    await must('gantry rm tty');
  });
});
