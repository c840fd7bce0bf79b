import { run } from 'node:test';

/** How one test inside the virtual machine ended; a line of JSON each. Run with the files whose tests it shall run. */
export interface Verdict {
  name: string;
  /** What was wrong; absent when nothing was. */
  error?: string;
}

if (import.meta.main) {
  const events = run({ files: process.argv.slice(2), isolation: 'none' });
  const say = (verdict: Verdict) => process.stdout.write(`${JSON.stringify(verdict)}\n`);
  events.on('test:pass', ({ name, nesting }) => nesting > 0 && say({ name }));
  events.on('test:fail', ({ name, details }) => {
    const { cause } = details.error as Error & { cause?: Error };
    say({ name, error: cause?.stack ?? String(cause ?? details.error) });
  });
  events.resume();
}
