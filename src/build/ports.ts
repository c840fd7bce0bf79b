import { EngineError } from '../stdx/errors.ts';

/**
 * EXPOSE's words: `80`, `53/udp`, `8000-8010/tcp` (docker/go-connections, nat.ParsePortSpecs).
 * @returns `80/tcp`, one by one, as often as it was named.
 * @throws EngineError `invalid` in Docker's words.
 */
export function parsePorts(words: readonly string[]): string[] {
  const ports: string[] = [];
  for (const word of words) {
    const [range = '', written = 'tcp', more] = word.split('/');
    const protocol = (written === '' ? 'tcp' : written).toLowerCase();
    // A host part, as in `8080:80`, is dropped, as Docker does: an image cannot publish.
    const container = range.slice(range.lastIndexOf(':') + 1);
    const [first, last] = parseRange(container, word);
    if (more !== undefined || !['tcp', 'udp', 'sctp'].includes(protocol))
      throw new EngineError('invalid', `Invalid proto: ${written}`);
    for (let port = first; port <= last; port++) ports.push(`${port}/${protocol}`);
  }
  return ports;
}

function parseRange(text: string, word: string): [number, number] {
  if (text === '') throw new EngineError('invalid', `No port specified: ${word}<empty>`);
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535)
    throw new EngineError('invalid', `Invalid containerPort: ${text}`);
  if (last < first)
    throw new EngineError('invalid', `Invalid containerPort: ${text}: invalid range specified for port`);
  return [first, last];
}
