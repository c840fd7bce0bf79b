import koffi from 'koffi';
import { EngineError } from '../../stdx/errors.ts';

/**
 * libnftables in this process: the same parser and the same error texts as the `nft` program, without the 4.5 ms
 * its start costs. One of these belongs to the network namespace the thread was in when it was made.
 *
 * All commands of one `run` are one transaction: they take effect together or not at all.
 */
export class Nftables {
  readonly #library: Library;
  readonly #context: unknown;

  constructor() {
    this.#library = loadLibrary();
    const context = this.#library.newContext(0);
    if (context === null) throw new EngineError('internal', 'libnftables gives no context');
    this.#library.bufferOutput(context);
    this.#library.bufferErrors(context);
    this.#context = context;
  }

  /**
   * @param commands text as `nft -f` reads it.
   * @returns what the commands print (listings).
   * @throws EngineError with libnftables' text, which shows the place in the commands.
   */
  run(commands: string): string {
    return this.#run(commands, 0);
  }

  /** Runs a listing and parses its JSON (libnftables-json(5)): the array under `nftables`. */
  list(commands: string): NftObject[] {
    const text = this.#run(commands, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
    return text === '' ? [] : (JSON.parse(text) as { nftables: NftObject[] }).nftables;
  }

  close(): void {
    this.#library.freeContext(this.#context);
  }

  #run(commands: string, outputFlags: number): string {
    this.#library.setOutput(this.#context, outputFlags);
    const failed = this.#library.run(this.#context, commands) !== 0;
    // Both buffers are read always: reading is what empties them.
    const output = this.#library.output(this.#context);
    const errors = this.#library.errors(this.#context);
    if (failed) throw new EngineError('internal', `nftables: ${errors.trim()}`);
    return output;
  }
}

/** `{ table: {...} }`, `{ chain: {...} }`, `{ rule: {...} }` ...: one key says what it is. */
export type NftObject = Record<string, Record<string, unknown> | undefined>;

interface Library {
  newContext(flags: number): unknown;
  freeContext(context: unknown): void;
  setOutput(context: unknown, flags: number): void;
  bufferOutput(context: unknown): number;
  bufferErrors(context: unknown): number;
  output(context: unknown): string;
  errors(context: unknown): string;
  run(context: unknown, commands: string): number;
}

// nftables/libnftables.h
const NFT_CTX_OUTPUT_HANDLE = 1 << 3;
const NFT_CTX_OUTPUT_JSON = 1 << 4;

let library: Library | undefined;

function loadLibrary(): Library {
  if (library !== undefined) return library;
  const loaded = openLibrary();
  library = {
    newContext: loaded.func('void *nft_ctx_new(uint32_t flags)'),
    freeContext: loaded.func('void nft_ctx_free(void *ctx)'),
    setOutput: loaded.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)'),
    bufferOutput: loaded.func('int nft_ctx_buffer_output(void *ctx)'),
    bufferErrors: loaded.func('int nft_ctx_buffer_error(void *ctx)'),
    output: loaded.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    errors: loaded.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
    run: loaded.func('int nft_run_cmd_from_buffer(void *ctx, const char *buf)'),
  };
  return library;
}

function openLibrary(): ReturnType<typeof koffi.load> {
  try {
    return koffi.load('libnftables.so.1');
  } catch (error) {
    throw new EngineError('internal', 'libnftables.so.1 is missing: install libnftables1', { cause: error });
  }
}
