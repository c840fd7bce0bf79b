import { EngineError } from '../../stdx/errors.ts';
import type { SshKey } from './ssh-key.ts';
import { uint32, WireReader, wireString } from './ssh-wire.ts';

/** Of draft-miller-ssh-agent: what is asked and answered. */
const message = { failure: 5, listKeys: 11, keys: 12, sign: 13, signature: 14 } as const;

/** OpenSSH's own limit. */
const messageLimitBytes = 256 * 1024;

/**
 * An agent that has some keys and never anything else: it lists them and signs with them, and refuses the rest.
 * @param asked bytes of one connection, in whatever pieces they come
 * @returns what is answered
 */
export async function* serveKeys(
  keys: readonly SshKey[],
  asked: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let kept = Buffer.alloc(0);
  for await (const piece of asked) {
    kept = Buffer.concat([kept, piece]);
    while (kept.length >= 4) {
      const length = kept.readUInt32BE();
      if (length > messageLimitBytes) throw new EngineError('invalid', 'a message to the agent is too large');
      if (kept.length < 4 + length) break;
      yield wireString(answer(keys, kept.subarray(4, 4 + length)));
      kept = kept.subarray(4 + length);
    }
  }
}

function answer(keys: readonly SshKey[], request: Buffer): Buffer {
  try {
    const reader = new WireReader(request);
    switch (reader.byte()) {
      case message.listKeys:
        return Buffer.concat([
          Buffer.from([message.keys]),
          uint32(keys.length),
          ...keys.flatMap(({ publicBlob }) => [wireString(publicBlob), wireString('')]),
        ]);
      case message.sign: {
        const blob = reader.bytes();
        const data = reader.bytes();
        const flags = reader.uint32();
        const key = keys.find(({ publicBlob }) => publicBlob.equals(blob));
        if (key === undefined) break;
        return Buffer.concat([Buffer.from([message.signature]), wireString(key.sign(data, flags))]);
      }
    }
  } catch (error) {
    // Nonsense is refused like everything that is not there.
    if (!(error instanceof RangeError)) throw error;
  }
  return Buffer.from([message.failure]);
}
