import type { HttpResponse } from '../../client/http-connection.ts';

/** A body as an async iterable; the sender waits while a chunk is worked on. */
export async function* bodyChunks(response: HttpResponse): AsyncGenerator<Buffer> {
  let give: (result: { chunk?: Buffer; error?: unknown }) => void = () => {};
  let release: () => void = () => {};
  let next = new Promise<{ chunk?: Buffer; error?: unknown }>(resolve => (give = resolve));
  const consumed = response.consume(chunk => {
    give({ chunk });
    return new Promise<void>(resolve => (release = resolve));
  });
  consumed.then(
    () => give({}),
    error => give({ error }),
  );
  let whole = false;
  try {
    for (;;) {
      const { chunk, error } = await next;
      if (error !== undefined) throw error;
      if (chunk === undefined) {
        whole = true;
        return;
      }
      yield chunk;
      next = new Promise(resolve => (give = resolve));
      release();
    }
  } finally {
    if (!whole) response.cancel();
  }
}
