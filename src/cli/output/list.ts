import { EngineError, messageOf } from '../../stdx/errors.ts';
import { Template } from '../../stdx/template/template.ts';
import { goType, type TemplateStruct } from '../../stdx/template/values.ts';
import type { Output } from './output.ts';
import { alignColumns } from './table.ts';

/** The `--format` flag of commands that list. */
export const listFormatFlag = `
      --format string   Format output using a custom template:
                        |'table':            Print output in table format with column headers (default)
                        |'table TEMPLATE':   Print output in table format using the given Go template
                        |'json':             Print in JSON format
                        |'TEMPLATE':         Print output using the given Go template.
                        |Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates
`;

/** How a kind of thing is listed. */
export interface ListLayout<T> {
  /** The name errors call a row's type by, as docker's do: `*formatter.ContainerContext`. */
  typeName: string;
  /** Headers by field, also of fields the usual table does not show. */
  headers: Record<string, string>;
  /** The usual table: fields in order. */
  columns: readonly string[];
  /** The field `--quiet` shows. */
  quietField?: string;
  /** Fields by name; functions with a parameter are methods such as `.Label "x"`. */
  row(item: T): Record<string, unknown>;
}

/** @param format `table`, `table TEMPLATE`, `json`, a template, or '' for the usual table */
export function printList<T>(
  out: Output,
  layout: ListLayout<T>,
  items: readonly T[],
  { format = '', quiet = false }: { format?: string; quiet?: boolean },
): void {
  out.write(renderList(layout, items, { format, quiet }));
}

export function renderList<T>(
  layout: ListLayout<T>,
  items: readonly T[],
  { format = '', quiet = false }: { format?: string; quiet?: boolean },
): string {
  const rows = items.map(item => ({ [goType]: layout.typeName, ...layout.row(item) }) as TemplateStruct);
  if (quiet && (format === '' || format === 'table'))
    return rows.map(row => `${plain(row, layout.quietField!)}\n`).join('');
  if (format === '' || format === 'table') return usualTable(layout, rows);
  if (format === 'json') format = '{{json .}}';
  const isTable = /^table(\s|$)/.test(format);
  // The shell leaves \t and \n in single quotes as they are: they are meant as characters.
  const source = (isTable ? format.slice(5).replace(/^ +| +$/g, '') : format)
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  const template = readTemplate(source);
  const lines = rows.map(row => runTemplate(template, row));
  if (!isTable) return lines.map(line => `${line}\n`).join('');
  const heading = runTemplate(readTemplate(headingTemplate(source)), headingRow(layout));
  return alignColumns(
    [heading, ...lines]
      .join('\n')
      .split('\n')
      .map(line => line.split('\t')),
  );
}

/** The usual table needs no template: most lists are this, and every millisecond of a list counts. */
function usualTable<T>(layout: ListLayout<T>, rows: readonly TemplateStruct[]): string {
  const cells = rows.map(row => layout.columns.map(column => plain(row, column)));
  return alignColumns([layout.columns.map(column => layout.headers[column]!), ...cells]);
}

function plain(row: TemplateStruct, field: string): string {
  const value = row[field];
  return String(typeof value === 'function' ? value.call(row) : value);
}

export function readTemplate(source: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw new EngineError('invalid', `failed to parse template: ${messageOf(error)}`, { cause: error });
  }
}

export function runTemplate(template: Template, value: unknown): string {
  try {
    return template.run(value);
  } catch (error) {
    throw new EngineError('invalid', `failed to execute template: ${messageOf(error)}`, { cause: error });
  }
}

/** Functions that would change a header (`upper`, `json`, `truncate` ...) leave it alone in Docker; so they do here. */
function headingTemplate(source: string): string {
  return source
    .replace(/\{\{(-?\s*)(?:json|lower|upper|title|split|join|len)\s+(\.[\w.]+)\s*/g, '{{$1$2 ')
    .replace(/\s*\|\s*(?:json|lower|upper|title)\b/g, '')
    .replace(/\{\{(-?\s*)(?:truncate|pad)\s+(\.[\w.]+)[^}|]*/g, '{{$1$2 ');
}

function headingRow<T>(layout: ListLayout<T>): TemplateStruct {
  const label = (name: string) => name.split('.').at(-1)!.replace(/[-_]/g, ' ');
  return { [goType]: layout.typeName, ...layout.headers, Label: label } as TemplateStruct;
}

/** Labels as lists show them: `a=1,b=2`, sorted. */
export function joinLabels(labels: Record<string, string> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}
