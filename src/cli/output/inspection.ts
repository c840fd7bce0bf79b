import { EngineError, messageOf } from '../../stdx/errors.ts';
import { decodeRaw } from '../../stdx/template/go-types.ts';
import { escapeHtmlInJson, toJson } from '../../stdx/template/json.ts';
import { Template } from '../../stdx/template/template.ts';
import { TemplateError } from '../../stdx/template/template-error.ts';
import { told } from '../cli.ts';
import { ExitError } from '../errors.ts';
import type { Session } from '../session.ts';
import { dockerTypes } from './docker-types.ts';

/** The `--format` flag of commands that inspect. */
export const inspectFormatFlag = `
  -f, --format string   Format output using a custom template:
                        |'json':             Print in JSON format
                        |'TEMPLATE':         Print output using the given Go template.
                        |Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates
`;

/** A thing to show, and the type templates see it as (docker-types.ts). */
export interface Inspected {
  type: string;
  json: unknown;
  /** It is the client's own: there is nothing behind the type, and JSON is made of it. */
  own?: boolean;
}

/**
 * Fetches every named thing and prints all that were found: as a JSON list, or each by a template. What was not found is
 * told at the end.
 * @throws ExitError 1 when something was not found
 */
export async function inspectAll(
  session: Session,
  names: readonly string[],
  format: string,
  fetch: (name: string) => Promise<Inspected>,
): Promise<void> {
  const template = format === '' || format === 'json' ? undefined : readInspectTemplate(format);
  const found: Inspected[] = [];
  const faults: string[] = [];
  for (const name of names) {
    try {
      found.push(await fetch(name));
    } catch (error) {
      faults.push(told(error));
    }
  }
  if (template === undefined) printJson(session, found, format);
  else for (const item of found) printByTemplate(session, template, item);
  if (template !== undefined && found.length === 0) session.out.write('\n');
  if (faults.length > 0) throw new ExitError(1, faults.join('\n'));
}

/** Docker ends with 64 when it cannot read the template. */
export function readInspectTemplate(format: string, name = ''): Template {
  try {
    return new Template(format, name);
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`);
  }
}

/** What was printed before a fault stays, as docker has it for `version` and `info`. */
export function printTemplate(session: Session, template: Template, value: unknown): void {
  try {
    session.out.line(template.run(value));
  } catch (error) {
    if (error instanceof TemplateError) session.out.line(error.output);
    throw error;
  }
}

function printJson(session: Session, found: readonly Inspected[], format: string): void {
  const items = found.map(({ type, json, own }) => (own ? dockerTypes.decode(type, json) : json));
  const text =
    found.length === 0 && format !== 'json' ? '[]' : toJson(items, format === 'json' ? undefined : '    ');
  session.out.line(found[0]?.own ? escapeHtmlInJson(text) : text);
}

function printByTemplate(session: Session, template: Template, item: Inspected): void {
  try {
    session.out.line(runOnInspected(template, item));
  } catch (error) {
    session.out.write('\n');
    throw new EngineError('invalid', `template parsing error: ${messageOf(error)}`, { cause: error });
  }
}

/** By Docker's types first; where those fail, on the JSON as it came, whose keys must then be there. */
function runOnInspected(template: Template, { type, json, own }: Inspected): string {
  try {
    return template.run(dockerTypes.decode(type, json));
  } catch (error) {
    if (own || !(error instanceof TemplateError)) throw error;
    return template.run(decodeRaw(json), { missingKey: 'error' });
  }
}
