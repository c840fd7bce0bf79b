import { EngineError } from './errors.ts';

/** Bits per second in each direction; 0: not limited, absent: not said. */
export interface BandwidthWords {
  up?: number;
  down?: number;
}

/**
 * `up=10mbit,down=50mbit`, either or both; 0 is no limit. Units are decimal, as in tc(8): bit, kbit, mbit, gbit.
 * @throws EngineError invalid
 */
export function parseBandwidth(text: string): BandwidthWords {
  const words: BandwidthWords = {};
  for (const part of text.split(',')) {
    const match = /^(up|down)=(?:(0)|(\d+(?:\.\d+)?)([kmg]?bit))$/i.exec(part.trim());
    const direction = match?.[1]?.toLowerCase() as 'up' | 'down' | undefined;
    if (match === null || direction === undefined || direction in words) throw malformed(text);
    const bits = match[2] === '0' ? 0 : Math.round(Number(match[3]) * factors[match[4]!.toLowerCase()]!);
    if (bits !== 0 && (bits < smallestBits || bits > largestBits)) {
      throw new EngineError(
        'invalid',
        `invalid network bandwidth "${text}": a rate is between 8kbit and 1000gbit`,
      );
    }
    words[direction] = bits;
  }
  return words;
}

const factors: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
/** Less than a frame a second is no network any more. */
const smallestBits = 8e3;
const largestBits = 1e12;

function malformed(text: string): EngineError {
  return new EngineError(
    'invalid',
    `invalid network bandwidth "${text}": want up=RATE,down=RATE, a rate like 500kbit, 10mbit, 1gbit, or 0 for no limit`,
  );
}
