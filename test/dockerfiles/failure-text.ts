/**
 * What a client says of a build that failed, as text for comparison: the place with its lines, and the reason.
 *
 *     Dockerfile:2
 *        1 |     FROM busybox
 *        2 | >>> FORM x
 *     unknown instruction: FORM (did you mean FROM?)
 */
export function failureText(said: string): string {
  const place = /^(\S+:\d+)\n-{20}\n(.*?)\n-{20}$/ms.exec(said);
  const excerpt = place === null ? [] : [place[1]!, ...place[2]!.split('\n').map(line => line.trimEnd())];
  const reason = said
    .trimEnd()
    .split('\n')
    .findLast(line => line.startsWith('ERROR: '));
  return `${[...excerpt, generalised(reason ?? said.trimEnd())].join('\n')}\n`;
}

/** The reason: the last line. */
export function wordsOf(failure: string): string {
  return failure.trimEnd().split('\n').at(-1)!;
}

/** File, line and excerpt: all lines before it. */
export function placeOf(failure: string): string[] {
  return failure.trimEnd().split('\n').slice(0, -1);
}

/** Without what is of one run or one machine, and without the line that the place has. */
function generalised(reason: string): string {
  return reason
    .replace(/^ERROR: (failed to build: )?(failed to solve: )?/, '')
    .replace(/^dockerfile parse error on line \d+: /, '')
    .replace(/^[A-Z](?=[a-z])/, letter => letter.toLowerCase())
    .replace(/(of ref|reference) [\w-]+::\w+/g, '$1 <ref>')
    .replace(/\/tmp\/gantry-test-\S*?\/(merged|upper|fs|rootfs)\//g, '/')
    .replace(/(crun|runc) create failed/, '<runtime> create failed')
    .replace(/dial tcp.*/, 'dial tcp <fault>');
}
