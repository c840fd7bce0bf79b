/** What is shown: change it and look at the page again. */
export function page(greeting: string, now: Date): string {
  return `${greeting}, it is ${now.toISOString().slice(11, 16)}\n`;
}
