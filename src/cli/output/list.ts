import { EngineError, messageOf } from '../../stdx/errors.ts';
import { headerFunctions } from '../../stdx/template/functions.ts';
import { Template } from '../../stdx/template/template.ts';
import { TemplateError } from '../../stdx/template/template-error.ts';
import { type GoType, goType, type TemplateStruct, Typed } from '../../stdx/template/values.ts';
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
  /** What the format `raw` shows: words and fields. */
  raw?: readonly (readonly [string, string])[];
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
  const rows = items.map(item => rowOf(layout, item));
  if (quiet && (format === '' || format === 'table'))
    return rows.map(row => `${plain(row, layout.quietField!)}\n`).join('');
  if (format === '' || format === 'table') return usualTable(layout, rows);
  if (format === 'json') format = '{{json .}}';
  if (format === 'raw' && layout.raw !== undefined)
    return rows.map(row => rawText(layout.raw!, row)).join('');
  const isTable = format.startsWith('table');
  // The shell leaves \t and \n in single quotes as they are: they are meant as characters.
  const source = (isTable ? format.slice(5).replace(/^ +| +$/g, '') : format)
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n');
  const template = readTemplate(source);
  const lines = rows.map(row => runTemplate(template, row));
  if (!isTable) return lines.map(line => `${line}\n`).join('');
  const heading = headingOf(template, layout);
  return alignColumns(
    [heading, ...lines]
      .join('\n')
      .split('\n')
      .map(line => line.split('\t')),
  );
}

/** An item as templates see it. */
export function rowOf<T>(layout: ListLayout<T>, item: T): TemplateStruct {
  return { [goType]: layout.typeName, ...layout.row(item) };
}

/** The usual table needs no template: most lists are this, and every millisecond of a list counts. */
function usualTable<T>(layout: ListLayout<T>, rows: readonly TemplateStruct[]): string {
  const cells = rows.map(row => layout.columns.map(column => plain(row, column)));
  return alignColumns([layout.columns.map(column => layout.headers[column]!), ...cells]);
}

function rawText(raw: NonNullable<ListLayout<unknown>['raw']>, row: TemplateStruct): string {
  const lines = raw.map(([word, field]) => `${word}: ${plain(row, field)}`.trimEnd());
  return `${lines.join('\n')}\n\n`;
}

function plain(row: TemplateStruct, field: string): string {
  const value = row[field];
  return String(typeof value === 'function' ? value.call(row) : value);
}

export function readTemplate(source: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw new EngineError('invalid', `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

export function runTemplate(template: Template, value: unknown): string {
  try {
    return template.run(value);
  } catch (error) {
    throw new EngineError('invalid', `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

/** The template run on the headers; where it fails there, docker shows what it had so far: nothing, mostly. */
function headingOf<T>(template: Template, layout: ListLayout<T>): string {
  const headers = new Typed(headersType, new Map(Object.entries(layout.headers)));
  try {
    return template.run(headers, { functions: headerFunctions });
  } catch (error) {
    if (error instanceof TemplateError) return error.output;
    throw error;
  }
}

const headersType: GoType = {
  name: 'formatter.SubHeaderContext',
  kind: 'map',
  element: { name: 'string', kind: 'string' },
  methods: { Label: (_headers: unknown, name: string) => name.split('.').at(-1)!.replace(/[-_]/g, ' ') },
};

/** Labels as lists show them: `a=1,b=2`, sorted. */
export function joinLabels(labels: Record<string, string> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}
