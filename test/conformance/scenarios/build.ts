import type { DetailedStep, Scenario } from '../scenario.ts';

const build = (run: string): DetailedStep => ({ run });
const from = (lines: string, args = ''): DetailedStep =>
  build(`cat > Dockerfile <<'END'\n${lines}\nEND\ndocker build -t $N:1 ${args} .`);
/** The given value is part of an ARG's history as in BuildKit, and with it of the id; for dockerd only the text is. */
const argumentIds: [RegExp, string][] = [
  [/^ ---> Using cache\n/gm, ''],
  [/\b[0-9a-f]{12}\b/g, '000000000000'],
];
const clean = 'docker rmi -f $N:1 >/dev/null 2>&1; true';

export const buildScenarios: readonly Scenario[] = [
  {
    name: 'build: steps, output and cache',
    steps: [
      from(
        'FROM busybox\nENV WHO=build-cache\nRUN echo hello $WHO; sleep 0.3; echo warn >&2; sleep 0.3; echo $WHO > /f\nCMD ["cat", "/f"]',
      ),
      build('docker build -t $N:1 .'),
      'docker run --rm $N:1',
      build('docker build --no-cache -q -t $N:1 . | cut -c1-7'),
      build('docker build -q . | cut -c1-7'),
      clean,
    ],
  },
  {
    name: 'build: a failing command',
    steps: [
      from('FROM busybox\nRUN echo before; exit 3\nRUN echo never'),
      // The shell writes its complaint in pieces, and each that is read alone is coloured alone.
      { ...from('FROM busybox\nRUN nosuchprogram'), replace: [[/\u001b\[0m\u001b\[91m/g, '']] },
      from('FROM busybox\nRUN ["/nosuchprogram", "x"]'),
      from('FROM busybox\nRUN kill -9 $$'),
      'docker images -q $N',
    ],
  },
  {
    name: 'build: Dockerfiles that cannot be parsed',
    steps: [
      from('FROM busybox\nNOSUCH thing'),
      from('RUN echo no from'),
      from('FROM'),
      from('FROM busybox\nCOPY onlyone'),
      from('FROM busybox\nENV'),
      {
        ...from('FROM busybox\nENV novalue'),
        differs: {
          reason: 'newer versions name the line here too',
          code: 1,
          stderr: /daemon: dockerfile parse error line 2: ENV must have two arguments$/m,
        },
      },
      from('FROM busybox\nEXPOSE bad/port/x'),
      from('FROM busybox\nCMD ["unclosed'),
      from(''),
      from('# only a comment'),
      from('FROM busybox\nHEALTHCHECK BOGUS x'),
      from('FROM busybox\nHEALTHCHECK --interval=x CMD true'),
      from('FROM busybox\nSTOPSIGNAL NOSUCH'),
      from('FROM busybox\nONBUILD ONBUILD RUN x'),
      from('FROM busybox\nONBUILD FROM x'),
      from('FROM busybox\nUSER'),
      {
        ...from('FROM busybox\nRUN --bogus=1 true'),
        differs: {
          reason: 'worded as in newer versions',
          code: 1,
          stderr: /daemon: dockerfile parse error line 2: unknown flag: --bogus$/m,
        },
      },
      from('FROM busybox\nADD --chown'),
      from('FROM busybox AS'),
      from('FROM busybox AS 1bad'),
      from('FROM busybox\nVOLUME'),
      from('FROM busybox\nVOLUME []'),
      from('FROM busybox\nSHELL sh'),
      from('FROM busybox\nARG'),
      from('FROM busybox\nMAINTAINER'),
      from('FROM busybox\nLABEL'),
      from('FROM busybox\nWORKDIR'),
      from('FROM busybox\nENTRYPOINT []\nCMD []\nCMD'),
    ].map(step => ({ ...step, goesOn: true })),
  },
  {
    name: 'build: bases that are not there',
    steps: [
      from('FROM UPPER'),
      from('FROM nosuch:in:valid'),
      {
        ...from('FROM busybox\nCOPY --from=nosuchstage /a /b'),
        // Go asks the name server itself and tells of its refusal, where the C library says that there was no answer.
        replace: [[/dial tcp.*$/gm, 'dial tcp <fault>']],
      },
      {
        ...from('FROM $UNSET'),
        differs: {
          reason: 'found before the first step, as BuildKit does, and not after Step 1 was announced',
          code: 1,
          stderr: /daemon: base name \(\$UNSET\) should not be blank$/m,
        },
      },
      from('FROM localhost:1/nothing:here'),
    ],
  },
  {
    name: 'build: several stages',
    steps: [
      from(
        'FROM busybox AS one\nRUN echo artifact > /a\nFROM busybox AS two\nRUN echo second > /b\nFROM scratch\nCOPY --from=one /a /a\nCOPY --from=1 /b /b\nCOPY --from=busybox /bin/busybox /bin/cat\nCMD ["/bin/cat", "/a", "/b"]',
      ),
      'docker run --rm $N:1',
      build('docker build --target one -t $N:1 . | tail -n 1; docker run --rm $N:1 cat /a'),
      build('docker build --target nosuch .'),
      {
        ...build('docker build --target 1 -q . | cut -c1-7'),
        differs: { reason: 'a stage goes by its number, too, as in BuildKit', code: 0, stdout: /^sha256:$/m },
      },
      clean,
    ],
  },
  {
    name: 'build: arguments',
    steps: [
      from(
        'ARG TAG=latest\nFROM busybox:$TAG\nARG A=default\nARG B\nARG TAG\nENV C=${A}-${B:-none}-${B:+set}-$TAG\nRUN echo "$A $B $C $TAG"',
      ),
      { ...build('docker build --build-arg A=given --build-arg B=x -t $N:1 .'), replace: argumentIds },
      build('docker build --build-arg UNUSED=1 -t $N:1 .'),
      build('B=env docker build --build-arg B -t $N:1 . | grep env'),
      {
        ...from('FROM busybox\nARG A=1\nRUN echo cached $A\nRUN echo --', '--build-arg A=2'),
        replace: argumentIds,
      },
      { ...build('docker build -t $N:1 .'), replace: argumentIds },
      {
        ...from('FROM busybox\nRUN echo [$HTTP_PROXY] [$http_proxy]', '--build-arg HTTP_PROXY=http://proxy'),
        replace: argumentIds,
      },
      clean,
    ],
  },
  {
    name: 'build: COPY and ADD',
    files: {
      'ctx/a': 'a\n',
      'ctx/b.txt': 'b\n',
      'ctx/c.txt': 'c\n',
      'ctx/dir/d': 'd\n',
      'ctx/dir/sub/e': 'e\n',
      'ctx/Dockerfile':
        'FROM busybox\nWORKDIR /w\nCOPY a renamed\nCOPY *.txt texts/\nCOPY dir dir\nCOPY dir/ /abs/\nCOPY --chown=app:staff a owned\nCOPY --chown=12:34 dir owneddir\nADD packed.tar.gz unpacked/\nADD a added\nCOPY ["a", "with space"]\nRUN find /w /abs | sort; stat -c "%u:%g" owned owneddir owneddir/d; cat unpacked/d\n',
    },
    steps: [
      { run: 'cd ctx; tar -C dir -czf packed.tar.gz d', setup: true },
      build('cd ctx; chmod 755 . dir dir/sub; docker build -t $N:1 . | grep -vE "^ --->|^Removing"'),
      ...[
        'COPY nosuch /x',
        'COPY ../a /x',
        'COPY *.nosuch /x',
        'COPY a b.txt /x',
        'ADD a dir /x',
        'COPY --chown=nosuch a /x',
        'COPY a dir/ /y/',
        'COPY . /all',
        'COPY dir/sub/../d /z',
      ].map(line => ({
        ...build(
          `cd ctx; printf 'FROM busybox\\n${line}\\n' | docker build -t $N:1 -f - . | grep -vE '^ ---|^Step|^Success'`,
        ),
        ...(line === 'COPY *.nosuch /x' && {
          differs: { reason: 'a wildcard may find nothing, as in BuildKit', code: 0, stderr: /^$/ },
        }),
      })),
      clean,
    ],
  },
  {
    name: 'build: cache follows content, not times',
    files: { f: 'one\n', Dockerfile: 'FROM busybox\nCOPY f /cache-content\nRUN cat /cache-content\n' },
    steps: [
      build('docker build -t $N:1 .'),
      build('touch -d 2001-01-01 f; docker build -t $N:1 . | grep -c "Using cache"'),
      build('echo two > f; docker build -t $N:1 . | grep -cE "Using cache|two"'),
      build('chmod 600 f; docker build -t $N:1 . | grep -c "Using cache"'),
      build('chmod 644 f; docker build -t $N:1 . | grep -c "Using cache"'),
      clean,
    ],
  },
  {
    name: 'build: .dockerignore',
    files: {
      '.dockerignore':
        '# comment\n*.log\n**/*.tmp\n!keep.log\nsecret\ndir/*\n!dir/kept\n\n/rooted\nDockerfile\n',
      Dockerfile: 'FROM busybox\nCOPY . /c\nRUN cd /c; find . | sort\n',
      'a.log': '',
      'keep.log': '',
      'x.tmp': '',
      'deep/er/y.tmp': '',
      'deep/a.log': '',
      secret: '',
      'deep/secret': '',
      'dir/gone': '',
      'dir/kept': '',
      rooted: '',
      'deep/rooted': '',
      plain: '',
    },
    steps: [
      build('chmod -R go+rX .; docker build -t $N:1 . | grep -vE "^ --->|^Removing|^Success"'),
      build("printf 'FROM busybox\\nCOPY secret /\\n' | docker build -f - ."),
      clean,
    ],
  },
  {
    name: 'build: metadata instructions, whole inspect',
    steps: [
      {
        ...from(
          'FROM busybox\nENV A=1 B="two words" C=three\\ words\nENV D=$A$B E=${A}x\nLABEL l1=v1 "l 2"="v 2"\nEXPOSE 80 53/udp\nVOLUME /data /more\nVOLUME ["/json"]\nWORKDIR /metadata\nWORKDIR rel\nUSER app\nSTOPSIGNAL SIGUSR1\nSHELL ["/bin/sh", "-ec"]\nHEALTHCHECK --interval=5s --timeout=3s --retries=2 CMD echo ok\nENTRYPOINT ["echo"]\nCMD ["x", "y"]\nMAINTAINER someone',
        ),
      },
      {
        run: 'docker inspect $N:1',
        json: true,
        ignore: [
          'Container',
          // BuildKit's mark in the last entry of the history.
          'Comment',
          'Parent',
          'ContainerConfig',
          'Config.Hostname',
          'Config.Image',
          'Metadata',
          'RootFS.Layers.*',
        ],
      },
      'docker run --rm $N:1',
      "docker run --rm --entrypoint '' $N:1 sh -c 'pwd; id -u; echo $D $E'",
      clean,
    ],
  },
  {
    name: 'build: shell forms and CMD with ENTRYPOINT',
    steps: [
      from('FROM busybox\nENTRYPOINT echo shell form $0\nCMD ["ignored"]'),
      "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' $N:1; docker run --rm $N:1",
      from('FROM busybox\nCMD echo plain $HOME'),
      "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' $N:1; docker run --rm $N:1",
      from('FROM busybox\nCMD ["a"]\nENTRYPOINT ["echo"]'),
      "docker inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' $N:1",
      clean,
    ],
  },
  {
    name: 'build: ONBUILD',
    steps: [
      {
        run: "printf 'FROM busybox\\nONBUILD RUN echo triggered > /t\\nONBUILD ENV T=1\\n' | docker build -q -t $N:base - >/dev/null",
        setup: true,
      },
      build(
        "docker inspect --format '{{json .Config.OnBuild}}' $N:base; printf \"FROM $N:base\\nRUN cat /t\\n\" | docker build -t $N:1 -; docker inspect --format '{{json .Config.OnBuild}}' $N:1",
      ),
      clean,
      'docker rmi $N:base >/dev/null',
    ],
  },
  {
    name: 'build: RUN sees the files of earlier steps',
    steps: [
      from(
        'FROM busybox\nRUN mkdir /d && echo 1 > /d/f && ln -s f /d/l && ln /d/f /d/h\nRUN rm /d/f && mkdir /d/n && cat /d/h\nRUN rm -r /d && mkdir /d && touch /d/new\nRUN find /d',
      ),
      'docker run --rm $N:1 find /d',
      "docker history --format '{{.Size}}' $N:1 | head -n 4",
      clean,
    ],
  },
  {
    name: 'build: volumes keep what was there before',
    steps: [
      from('FROM busybox\nRUN mkdir /v && echo before > /v/f\nVOLUME /v\nRUN echo lost > /v/g'),
      {
        run: "docker run --rm $N:1 sh -c 'ls /v'",
        differs: {
          reason: 'what a RUN writes to a declared volume stays, as in BuildKit; the classic builder lost it',
          code: 0,
          stdout: /^f\ng\n$/,
        },
      },
      clean,
    ],
  },
  {
    name: 'build: contexts that are not there or not right',
    files: { 'other.Dockerfile': 'FROM busybox\nRUN echo other\n' },
    steps: [
      build('docker build nosuchdirectory'),
      build('mkdir empty; docker build empty'),
      build('docker build -f nosuch.Dockerfile .'),
      build('docker build -f other.Dockerfile -t $N:1 .'),
      build('docker build -t BAD:TAG .'),
      build('docker build'),
      build('tar -c other.Dockerfile | docker build -f other.Dockerfile -t $N:1 -'),
      build('echo nonsense | docker build -'),
      'api POST /v1.41/build -d x -H "Content-Type: application/x-tar"',
      'api POST "/v1.41/build?buildargs=x"',
      clean,
    ],
  },
  {
    name: 'build: comments, continuations and directives',
    steps: [
      from(
        '# escape=`\nFROM busybox\n# comment\nRUN echo one `\n  # inside\n  two `\n\n  three\n  run echo lower',
      ),
      from(
        'FROM busybox\nRUN echo "a  b"   c\\\n d\nRUN ["echo", "json form $HOME"]\nENV A=\'single $B\' C="q\\"q"\nRUN echo "$A $C"',
      ),
      clean,
    ],
  },
  {
    name: 'build: flags for labels, iid and several tags',
    files: { Dockerfile: 'FROM busybox\nLABEL a=1 b=1\n' },
    steps: [
      build(
        'docker build --label b=2 --label c=3 --iidfile iid -t $N:1 -t $N:2 . | tail -n 2; cut -c1-7 iid; wc -c < iid',
      ),
      "docker inspect --format '{{json .Config.Labels}}' $N:2",
      'docker rmi $N:2 >/dev/null',
      build(
        "printf 'FROM busybox\\nRUN grep added /etc/hosts\\n' | docker build --add-host added:1.2.3.4 --no-cache -t $N:1 - | grep 1.2.3.4",
      ),
      clean,
    ],
  },
  {
    name: 'build: from scratch',
    steps: [
      from('FROM scratch\nCOPY Dockerfile /'),
      // Newer versions save an OCI layout, whose layers have other names: docker load reads both.
      "docker save $N:1 | tar -xO manifest.json | grep -c Layers; docker inspect --format '{{len .RootFS.Layers}}' $N:1",
      'docker run --rm $N:1 x',
      from('FROM scratch'),
      from('FROM scratch\nRUN x'),
      from('FROM scratch\nENV A=1'),
      clean,
    ],
  },
  {
    name: 'build: the context is a git repository',
    files: {
      'r/d/Dockerfile': 'FROM busybox\nCOPY . /x/\nCMD ["ls", "-A", "/x"]\n',
      'r/d/file': 'x',
      'r/Dockerfile': 'FROM nosuch\n',
    },
    steps: [
      'cd r && git init -q -b trunk && git add -A && git -c user.name=a -c user.email=a@b commit -qm x',
      'net git daemon --export-all --base-path=$PWD --listen=127.0.0.1 --port=19418 --detach --pid-file=$PWD/pid; for i in $(seq 300); do net git ls-remote git://127.0.0.1:19418/r trunk 2>/dev/null && break; sleep 0.2; done | cut -f2',
      `curl -s --unix-socket "$SOCK" -X POST "http://x/build?t=$N:1&remote=git://127.0.0.1:19418/r%23trunk:d" | grep -o 'Successfully tagged'`,
      'docker run --rm $N:1',
      'kill $(cat pid)',
      clean,
    ],
  },
];
