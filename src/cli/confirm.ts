import { ExitError } from './errors.ts';
import type { Session } from './session.ts';

/** Asks before something is lost. Anything but `y` is no. @throws ExitError when the answer is no */
export async function confirm(session: Session, warning: string): Promise<void> {
  if (!(await agrees(session, warning))) throw new ExitError(0);
}

export async function agrees(session: Session, question: string): Promise<boolean> {
  session.out.write(`${question} [y/N] `);
  const answer = await readLine(session);
  if (answer === undefined) session.out.write('\n');
  return answer?.trim().toLowerCase() === 'y';
}

/** @returns undefined at the end of the input */
export async function readLine(session: Session): Promise<string | undefined> {
  const stream = session.input.stream();
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    const newline = text.indexOf('\n');
    if (newline !== -1) return text.slice(0, newline).replace(/\r$/, '');
  }
  return text === '' ? undefined : text;
}
