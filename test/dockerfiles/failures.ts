import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerfileCase } from './cases.ts';

/** Each Dockerfile of cases/failures has one fault. */
export function failures(): Record<string, DockerfileCase> {
  const names = readdirSync(join(import.meta.dirname, 'cases/failures')).flatMap(file =>
    file.endsWith('.Dockerfile') ? [file.replace('.Dockerfile', '')] : [],
  );
  return Object.fromEntries(
    names.sort().map(name => [
      `fails: ${name}`,
      {
        folder: 'failures',
        args: ['-f', `${name}.Dockerfile`],
        fails: { words: otherWords[name], ...(elsewhere.includes(name) && { elsewhere: true }) },
      },
    ]),
  );
}

/** BuildKit says nothing of the place, or means another line of it. */
const elsewhere = [
  'add-404',
  'add-checksum',
  'add-no-name',
  'empty',
  'escape-bad',
  'escape-twice',
  'heredoc-open',
];

/** Where Gantry has other words than BuildKit: mostly those of dockerd's classic API. */
const otherWords: Record<string, string> = {
  'add-404': 'ADD failed: failed to GET http://10.77.0.2:8000/no-such-file with status 404 Not Found',
  'add-checksum':
    'ADD failed: digest mismatch sha256:f6e379b0639054c51806fd5d67948cbcaebd354b0e91a7683932b043c5c3ba32: sha256:0000000000000000000000000000000000000000000000000000000000000000',
  'add-no-name': 'cannot determine filename from url: http://10.77.0.2:8000/',
  'copy-below-file': '/etc/passwd: not a directory',
  'copy-directory-onto-file': '/etc/passwd: not a directory',
  'copy-flag-twice': 'duplicate flag specified: chown',
  'copy-from-missing': 'COPY failed: stat no/such/file: file does not exist',
  'copy-from-unknown':
    'invalid from flag value nosuchstage: Get "https://registry-1.docker.io/v2/": dial tcp <fault>',
  'copy-ignored':
    'COPY failed: file not found in build context or excluded by .dockerignore: stat ignored.txt: file does not exist',
  'copy-missing':
    'COPY failed: file not found in build context or excluded by .dockerignore: stat missing.txt: file does not exist',
  'copy-one-argument':
    'COPY requires at least two arguments, but only one was provided. Destination could not be determined.',
  'copy-outside':
    'COPY failed: file not found in build context or excluded by .dockerignore: stat ../outside: file does not exist',
  'copy-several-to-file': '/nowhere: not a directory',
  empty: 'failed to parse Dockerfile: file with no instructions',
  'expand-open': `failed to process "\${x": syntax error: missing '}'`,
  'expose-protocol': 'invalid proto: xyz',
  'from-bad-reference': 'invalid reference format',
  'from-platform-bad': '"linux/what/is/this": invalid platform: want os[/arch[/variant]]',
  'from-unknown-image': 'get "https://registry-1.docker.io/v2/": dial tcp <fault>',
  'from-upper': 'get "https://upper/v2/": dial tcp <fault>',
  'glob-no-directory':
    'COPY failed: file not found in build context or excluded by .dockerignore: stat none: file does not exist',
  'healthcheck-interval': 'time: invalid duration "1x"',
  'mount-source-missing': 'failed to compute cache key: "/missing": not found',
  'onbuild-copy-missing':
    'COPY failed: file not found in build context or excluded by .dockerignore: stat nothing-here: file does not exist',
  'run-insecure': 'security.insecure is not allowed',
  'run-no-program':
    'failed to create task for container: failed to create shim task: OCI runtime create failed: <runtime> create failed: unable to start container process: exec: "no-such-program": executable file not found in $PATH: unknown',
  'scratch-run':
    'failed to create task for container: failed to create shim task: OCI runtime create failed: <runtime> create failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown',
  'user-unknown': 'unable to find user nosuchuser: no matching entries in passwd file',
  'workdir-file': '/etc/passwd: not a directory',
};
