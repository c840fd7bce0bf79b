/** Everything a process can be sent and may catch, but for what the runtime and the kernel use among themselves. */
const forwarded: readonly NodeJS.Signals[] = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGALRM',
  'SIGTRAP',
  'SIGIO',
  'SIGVTALRM',
  'SIGXCPU',
  'SIGXFSZ',
];

/** Hands every signal we get to `send`, with its name without SIG. @returns a function that ends it */
export function forwardSignals(send: (signal: string) => Promise<unknown>): () => void {
  const listener = (signal: NodeJS.Signals) => {
    // A container that has ended meanwhile cannot take it any more; there is nobody to tell.
    send(signal.replace(/^SIG/, '')).catch(() => {});
  };
  for (const signal of forwarded) process.on(signal, listener);
  return () => {
    for (const signal of forwarded) process.off(signal, listener);
  };
}

/** Calls back now and whenever the terminal changes its size. @returns a function that ends it */
export function followTerminalSize(resize: () => Promise<unknown>): () => void {
  // A resize that comes too early or too late fails; the next one, or none, is right.
  const listener = () => void resize().catch(() => {});
  listener();
  process.on('SIGWINCH', listener);
  return () => void process.off('SIGWINCH', listener);
}
