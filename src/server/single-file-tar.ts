import { Readable } from 'node:stream';

/**
 * A tar (ustar, POSIX.1-1988) with one file in it: what a lone Dockerfile becomes as a build context.
 *
 *     offset  0    100   108  116  124   136    148       156   257    263
 *            name  mode  uid  gid  size  mtime  checksum  type  magic  version ...  up to 512
 */
export function singleFileTar(name: string, content: Buffer): Readable {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  // The checksum is summed up with blanks in its own place.
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Readable.from([header, content, padding, Buffer.alloc(1024)]);
}
