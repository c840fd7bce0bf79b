import { Output } from '../../output/output.ts';
import { LineWriter } from '../log-lines.ts';

/** Lines of one of several builds at once, each with the service's name in front. */
export class NamedLines extends Output {
  readonly #lines: LineWriter;

  constructor(output: Output, name: string) {
    super(-1, { isTerminal: false, size: () => output.size() });
    this.#lines = new LineWriter(line => {
      if (line !== '') output.write(`${name} ${line}\n`);
    });
  }

  override write(data: string | Uint8Array): void {
    this.#lines.push(Buffer.from(data as Uint8Array));
  }
}
