import { EngineError } from '../errors.ts';

/** A template that cannot be read or carried out; the message is Go's: `template: :1:2: ...`. */
export class TemplateError extends EngineError {
  /** What was printed before it failed. */
  readonly output: string;

  /**
   * @param name of the template, as errors call it
   * @param executing which template was being run, and the part at fault; without it, reading failed
   */
  constructor(
    { source, name, at }: { source: string; name: string; at: number },
    message: string,
    executing?: { template: string; part: string; output: string },
  ) {
    const before = source.slice(0, at);
    const line = before.split('\n').length;
    // Go counts bytes, and gives the column only while executing.
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    const place = executing === undefined ? `${name}:${line}` : `${name}:${line}:${column}`;
    const what =
      executing === undefined
        ? ''
        : ` executing ${JSON.stringify(executing.template)} at <${executing.part}>:`;
    super('invalid', `template: ${place}:${what} ${message}`);
    this.output = executing?.output ?? '';
  }
}
