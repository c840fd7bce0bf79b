/** The program, a space and its arguments: dockerd leaves the space when there are none. */
export function eventWords([program = '', ...args]: readonly string[]): string {
  return `${program} ${args.join(' ')}`;
}
