/** One line of CSV: fields with a comma or a quote in them are in double quotes, a quote inside is doubled. */
export function splitCsv(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(rest);
    const comma = quoted
      ? quoted[0].length - quoted[2]!.length
      : rest.indexOf(',') === -1
        ? rest.length
        : rest.indexOf(',');
    fields.push(quoted ? quoted[1]!.replaceAll('""', '"') : rest.slice(0, comma));
    if (comma >= rest.length) return fields;
    rest = rest.slice(comma + 1);
  }
}
