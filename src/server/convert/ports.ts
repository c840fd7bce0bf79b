import { EngineError } from '../../stdx/errors.ts';

/** `80/tcp`; a port without a protocol is tcp. @throws EngineError `invalid` */
export function portKey(text: string): string {
  const match = /^(\d{1,5})(?:\/([a-z]+))?$/.exec(text.toLowerCase());
  const port = Number(match?.[1]);
  const protocol = match?.[2] ?? 'tcp';
  if (match === null || port > 65535 || !['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw new EngineError('invalid', `invalid port specification: "${text}"`);
  }
  return `${port}/${protocol}`;
}

/** @param key as portKey() makes them */
export function splitPort(key: string): { port: number; protocol: string } {
  const [port = '0', protocol = 'tcp'] = key.split('/');
  return { port: Number(port), protocol };
}
