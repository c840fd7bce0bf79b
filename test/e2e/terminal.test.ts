import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Outcome } from '../support/run-program.ts';
import { daemonKind, Machine } from './machine.ts';

/**
 * Interactive use, through a real pseudo-terminal made by script(1). What a person types is fed in with
 * pauses, because a terminal has no end of file to wait for.
 */
describe(`terminals, with docker against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('terminal');
  });
  after(() => machine?.stop());

  /**
   * Runs a command on a terminal of 30 rows and 90 columns while `typed` (shell that prints keys) goes in. When the
   * typing ends, script(1) types an end of file, which a slower command would see: hence the pause.
   */
  const onTerminal = async (command: string, typed = 'sleep 2'): Promise<Outcome & { screen: string }> => {
    const quoted = `stty rows 30 cols 90; ${command}`.replaceAll("'", `'\\''`);
    const outcome = await machine.shell(
      `{ ${typed}; } | script -qfec '${quoted}' /dev/null; exit $?`,
      30_000,
    );
    // Without escape sequences, by which shells ask where the cursor is and clear the line.
    return { ...outcome, screen: outcome.stdout.replace(/\r|\x1b\[[0-9;?]*[A-Za-z]/g, '') };
  };

  // The client tells the size after the start: before that moment it is 0 by 0, as in Docker.
  test('run -it has a terminal with the size of the outer one', async () => {
    const { screen, code } = await onTerminal(
      "docker run --rm -it busybox sh -c 'tty; sleep 0.5; stty size; exit 3'",
    );
    assert.match(screen, /\/dev\/pts\/0\n30 90\n/);
    assert.equal(code, 3);
  });

  test('a shell echoes and runs what is typed', async () => {
    const { screen, code } = await onTerminal(
      'docker run --rm -it busybox sh',
      "sleep 1; printf 'echo $((40+2))\\r'; sleep 0.5; printf 'exit 5\\r'; sleep 1",
    );
    assert.match(screen, /# echo \$\(\(40\+2\)\)\n42\n/);
    assert.equal(code, 5);
  });

  test('a new size of the outer terminal arrives inside', async () => {
    const { screen } = await onTerminal(
      "(sleep 1.5; stty rows 44 cols 111 </dev/tty) & docker run --rm -it busybox sh -c 'stty size; for i in 1 2 3 4 5 6; do sleep 0.5; stty size; done'",
      'sleep 5',
    );
    assert.match(screen, /30 90\n/);
    assert.match(screen, /44 111\n/);
  });

  test('Ctrl-C is typed, not sent to the client', async () => {
    const { screen, code } = await onTerminal(
      'docker run --rm -it busybox sh -c \'trap "echo caught; exit 9" INT; while :; do sleep 0.1; done\'',
      "sleep 1; printf '\\003'; sleep 1",
    );
    assert.match(screen, /caught/);
    assert.equal(code, 9);
  });

  test('Ctrl-D ends a shell', async () => {
    const { code } = await onTerminal(
      'docker run --rm -it busybox sh',
      "sleep 1; printf 'false\\r'; sleep 0.3; printf '\\004'; sleep 1",
    );
    assert.equal(code, 1);
  });

  test('the detach keys leave it running; attach comes back', async () => {
    await onTerminal(
      'docker run -it --name detached busybox sh',
      "sleep 1; printf 'KEPT=yes\\r'; sleep 0.3; printf '\\020\\021'; sleep 0.5",
    );
    assert.equal(await machine.must("docker inspect --format '{{.State.Running}}' detached"), 'true');
    const { screen } = await onTerminal(
      'docker attach detached',
      "sleep 0.7; printf 'echo is $KEPT\\r'; sleep 0.5; printf 'exit\\r'; sleep 0.7",
    );
    assert.match(screen, /\nis yes\n/);
    await machine.must('docker rm -f detached');
  });

  test('other detach keys', async () => {
    await onTerminal(
      'docker run -it --name keys --detach-keys ctrl-x,y busybox sh',
      "sleep 1; printf '\\030y'; sleep 0.5",
    );
    assert.equal(await machine.must("docker inspect --format '{{.State.Running}}' keys"), 'true');
    await machine.must('docker rm -f keys');
  });

  test('exec -it: terminal, size, exit code', async () => {
    await machine.must('docker run -d --name exec busybox sleep 300');
    const { screen, code } = await onTerminal(
      "docker exec -it exec sh -c 'tty; sleep 0.5; stty size; exit 6'",
    );
    assert.match(screen, /\/dev\/pts\/\d+\n30 90\n/);
    assert.equal(code, 6);
    const typed = await onTerminal(
      'docker exec -it exec sh',
      "sleep 1; printf 'echo $((6*7))\\r'; sleep 0.3; printf 'exit 2\\r'; sleep 0.7",
    );
    assert.match(typed.screen, /\n42\n/);
    assert.equal(typed.code, 2);
    await machine.must('docker rm -f exec');
  });

  test('the terminal is usable afterwards', async () => {
    const { screen } = await onTerminal('docker run --rm -it busybox true; stty -a | grep -o " echo " ');
    assert.match(screen, / echo /);
  });
});
