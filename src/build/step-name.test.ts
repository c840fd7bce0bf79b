import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstructionOf } from './dockerfile/instructions.ts';
import { parseDockerfile } from './dockerfile/parse.ts';
import { scratchState } from './state.ts';
import { shownStep } from './step-name.ts';

function shown(text: string): string {
  const [stage] = parseDockerfile({ file: 'Dockerfile', text: `FROM x\n${text}` }).stages;
  const state = { ...scratchState({ os: 'linux', architecture: 'amd64' }), args: new Map([['V', '1.2']]) };
  return shownStep(state, stage!.instructions[0] as InstructionOf<'RUN' | 'COPY' | 'ADD' | 'WORKDIR'>, '\\');
}

/** As BuildKit 0.25 shows them. */
const names: [text: string, name: string][] = [
  ['workdir $V/x', 'WORKDIR 1.2/x'],
  ['COPY --chown=1:1 ["a b", "$V/", "$NONE/"]', 'COPY --chown=1:1 [a b, 1.2/, /]'],
  ['copy   d  "/q$V"/\\$V', 'COPY   d  /q1.2/$V'],
  ['RUN echo "$V" \'$V\' $NONE \\\n   && true', 'RUN echo "1.2" \'$V\' $NONE    && true'],
  ['RUN <<EOF\necho $V\nls /\nEOF', 'RUN <<EOF (echo 1.2...)'],
  ['RUN <<-"EOF"\n\tmake\nEOF', 'RUN <<-"EOF" (make)'],
  ['RUN cat <<EOF\n$V\nEOF', 'RUN cat <<EOF'],
  ['COPY <<A <<"B" /h/\n$V\nA\n$V\nB', 'COPY <<A <<B /h/'],
  ['COPY d ${V:x}', 'COPY d ${V:x}'],
];

test('steps are shown as they are carried out', () => {
  for (const [text, name] of names) assert.equal(shown(text), name);
});
