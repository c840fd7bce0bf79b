import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { planGraph } from '../graph.ts';
import { outlineOf, outlineText } from './outline.ts';
import { listTargets, targetsText } from './targets.ts';

const text = `# what it is based on
# BASE is the image
ARG BASE=busybox
ARG UNUSED=1
# tools for all
FROM $BASE AS tools
ARG VERSION=1
# GREETING: not for here
ARG GREETING
RUN --mount=type=secret,id=one --mount=type=secret,target=/keys/two,required=true echo $VERSION > /tool

FROM scratch AS other
ARG OTHER=x

# app is the app
# in two lines
FROM busybox AS app
# GREETING is what is said
ARG GREETING="hello $BASE"
ARG A=1 B=2
# nothing
ENV X=$A
RUN --mount=type=ssh --mount=type=ssh,id=k,required --mount=type=cache,id=cc,target=/x echo "$GREETING" > /greeting
COPY --from=tools /tool /tool
FROM app
ARG TARGETARCH
RUN echo $TARGETARCH
FROM --platform=$BUILDPLATFORM tools as Last
`;

function outline(dockerfileText: string, target: string, buildArgs: Record<string, string> = {}) {
  const graph = planGraph(parseDockerfile({ file: 'Dockerfile', text: dockerfileText }), {
    ...{ target, buildArgs, platform: '' },
    ownPlatform: { os: 'linux', architecture: 'amd64' },
  });
  const baseConfig = (name: string) => (name === 'busybox' ? { Env: ['PATH=/bin'] } : undefined);
  return outlineOf(graph, { buildArgs, baseConfig });
}

// The texts are dockerd 28.5's, by buildx 0.29.
test('what can be given to a build', () => {
  assert.equal(
    outlineText(outline(text, 'app')),
    `TARGET:      app
DESCRIPTION: is the app

BUILD ARG   VALUE     DESCRIPTION
BASE        busybox   is the image
VERSION     1         
GREETING    hello     is what is said
A           1         
B           2         

SECRET   REQUIRED
one      
two      true

SSH       REQUIRED
default   
k         true

`,
  );
  assert.equal(
    outlineText(outline(text, '', { BASE: 'other' })),
    `TARGET: last

BUILD ARG   VALUE   DESCRIPTION
BASE        other   is the image
VERSION     1       
GREETING            

SECRET   REQUIRED
one      
two      true

`,
  );
  assert.equal(outlineText(outline('FROM busybox\n', '')), '');
});

test('where it is said, and what it is made of', () => {
  const { args, secrets, sources } = outline(text, 'app', { GREETING: 'xx', UNUSED: '3' });
  const at = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
  assert.deepEqual(args?.[2], {
    name: 'GREETING',
    description: 'is what is said',
    value: 'xx',
    location: at(19),
  });
  assert.deepEqual(secrets, [
    { name: 'one', location: at(10) },
    { name: 'two', required: true, location: at(10) },
  ]);
  assert.equal(Buffer.from(sources[0]!, 'base64').toString(), text);
  // Through an ARG of the stage, an ARG before FROM, and the variables of the base image.
  const made = `ARG TAG=1\nARG NAME=app:$TAG\nFROM busybox AS a\nARG NAME\nARG P=$PATH:$NAME\nFROM a\nARG Q=$P`;
  assert.deepEqual(
    outline(made, '').args?.map(({ name, value }) => [name, value]),
    [
      ['TAG', '1'],
      ['NAME', 'app:1'],
      ['P', '/bin:app:1'],
      ['Q', '/bin:app:1'],
    ],
  );
});

test('stages that can be built', () => {
  const list = listTargets(parseDockerfile({ file: 'Dockerfile', text }));
  assert.equal(
    targetsText(list),
    `TARGET         DESCRIPTION
tools          for all
other          
app            is the app
               
last (default) 
`,
  );
  assert.deepEqual(list.targets.at(-1), {
    ...{ name: 'last', default: true, base: 'tools', platform: '$BUILDPLATFORM' },
    location: { ranges: [{ start: { line: 28 }, end: { line: 28 } }] },
  });
  const lone = parseDockerfile({ file: 'Dockerfile', text: 'FROM busybox\n' });
  assert.equal(targetsText(listTargets(lone)), 'TARGET    DESCRIPTION\n(default) \n');
});
