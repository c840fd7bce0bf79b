/**
 * What a client says of a build that failed, as text for comparison: the place, the excerpt, the reason.
 *
 *     Dockerfile:2
 *        1 |     FROM busybox
 *        2 | >>> FORM x
 *     unknown instruction: FORM (did you mean FROM?)
 */
export function failureText(said: string): string {
  return said;
}
