import { EngineError } from '../stdx/errors.ts';
import { decimal, type PaxRecord } from './pax.ts';
import { field } from './tar-header.ts';
import { parseNumber } from './tar-number.ts';

/**
 * Files with holes. The archive holds the pieces that are data, one after the other, and a map saying where they
 * belong. GNU tar has written the map in four ways:
 *
 *   old GNU   in the header block and blocks after it (type S)
 *   PAX 0.0   records GNU.sparse.offset and GNU.sparse.numbytes, repeated
 *   PAX 0.1   one record GNU.sparse.map=offset,length,offset,length...
 *   PAX 1.0   decimal lines at the beginning of the content: count, offset, length, offset, length...
 */
export interface SparsePiece {
  offset: number;
  length: number;
}

/** More pieces than that is an attack, not a file. */
export const maxSparsePieces = 100_000;

/** @param count pieces that fit: 4 in a header, 21 in a block after it. */
export function parseOldSparse(block: Buffer, at: number, count: number, into: SparsePiece[]): void {
  for (let index = 0; index < count; index++, at += 24) {
    if (block[at] === 0) return;
    into.push({
      offset: parseNumber(block, [at, 12], 'sparse map'),
      length: parseNumber(block, [at + 12, 12], 'sparse map'),
    });
  }
  if (into.length > maxSparsePieces) throw badSparse();
}

export function oldSparseRealSize(block: Buffer): number {
  return parseNumber(block, field.gnuSparseRealSize, 'size');
}

/** @returns undefined for a file that is not sparse in the 0.x way. */
export function sparsePiecesOf(records: readonly PaxRecord[]): SparsePiece[] | undefined {
  const map = records.findLast(record => record.key === 'GNU.sparse.map');
  const numbers =
    map === undefined
      ? records
          .filter(({ key }) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
          .map(({ value }) => value.toString('latin1'))
      : map.value
          .toString('latin1')
          .split(',')
          .filter(text => text !== '');
  if (map === undefined && !records.some(record => record.key.startsWith('GNU.sparse.num'))) return undefined;
  return piecesOf(numbers.map(decimal));
}

/** Reads PAX 1.0's map from the beginning of the content. @returns undefined when there is not enough of it yet. */
export function parseSparseLines(content: Buffer): { pieces: SparsePiece[]; mapSize: number } | undefined {
  const numbers: number[] = [];
  let wanted = 1;
  let at = 0;
  while (numbers.length < wanted) {
    const end = content.indexOf(0x0a, at);
    if (end === -1) {
      if (content.length - at > 20) throw badSparse();
      return undefined;
    }
    numbers.push(decimal(content.toString('latin1', at, end)));
    if (numbers.length === 1) {
      if (numbers[0]! > maxSparsePieces) throw badSparse();
      wanted = 1 + 2 * numbers[0]!;
    }
    at = end + 1;
  }
  return { pieces: piecesOf(numbers.slice(1)), mapSize: at };
}

/** Pieces in order, inside the file, and together exactly what the archive holds. @throws EngineError `invalid` */
export function checkPieces(pieces: readonly SparsePiece[], realSize: number, storedSize: number): void {
  let end = 0;
  let stored = 0;
  for (const { offset, length } of pieces) {
    if (offset < end || length < 0 || offset + length > realSize) throw badSparse();
    end = offset + length;
    stored += length;
  }
  if (stored !== storedSize) throw badSparse();
}

function piecesOf(numbers: readonly number[]): SparsePiece[] {
  if (numbers.length % 2 !== 0) throw badSparse();
  const pieces: SparsePiece[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    pieces.push({ offset: numbers[index]!, length: numbers[index + 1]! });
  }
  return pieces;
}

function badSparse(): EngineError {
  return new EngineError('invalid', 'invalid tar archive: bad map of a sparse file');
}
