import { crc32, deflateSync } from 'node:zlib';
import type { Cells } from './life.js';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/**
 * No colour for the dead, which are transparent, and one for the living that is seen on light and
 * dark pages.
 */
const PALETTE = Buffer.from([0, 0, 0, 0x3b, 0x82, 0xf6]);

/** A picture of one bit per cell. https://www.w3.org/TR/png-3/ */
export function toPng(cells: Cells): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(cells[0]?.length ?? 0, 0);
  header.writeUInt32BE(cells.length, 4);
  // One bit each, which is an index into the palette.
  header.set([1, 3], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', PALETTE),
    chunk('tRNS', Buffer.from([0])),
    chunk('IDAT', deflateSync(Buffer.concat(cells.map(toLine)))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A byte that says "no filter", then eight cells a byte. */
function toLine(row: readonly boolean[]): Buffer {
  const line = Buffer.alloc(1 + Math.ceil(row.length / 8));
  for (const [x, isAlive] of row.entries()) if (isAlive) line[1 + (x >> 3)]! |= 0x80 >> (x & 7);
  return line;
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
