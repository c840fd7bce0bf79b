import { EngineError } from '../errors.ts';

/** A template that cannot be read or carried out; the message is Go's: `template: :1:2: ...`. */
export class TemplateError extends EngineError {
  constructor(source: string, at: number, message: string, executing?: string) {
    const before = source.slice(0, at);
    const line = before.split('\n').length;
    // Go counts bytes, and gives the column only while executing.
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    const place = executing === undefined ? `:${line}` : `:${line}:${column}`;
    const what = executing === undefined ? '' : ` executing "" at <${executing}>:`;
    super('invalid', `template: ${place}:${what} ${message}`);
  }
}
