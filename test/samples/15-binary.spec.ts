import { inflateSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/15-binary/app.module.js';
import { nextGeneration, type Cells } from '../../sample/15-binary/life.js';
import { toPng } from '../../sample/15-binary/png.js';
import { openStream, runSample } from '../support/sample.js';

const drawn = (...rows: string[]): Cells =>
  rows.map((row) => row.split('').map((cell) => cell === '#'));

describe('sample 15, binary', () => {
  // feature: 116
  it('sends the bytes of a PNG as base64', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/life');
    const pictures = await stream.take(2);
    for (const { data } of pictures) {
      const bytes = Buffer.from(String(data), 'base64');
      expect(bytes.toString('base64')).toBe(data);
      expect(bytes.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
      expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([96, 64]);
    }
    expect(stream.text).toMatch(/\n\n(data: iVBORw[\w+/]+=*\n\n){2,}$/);
  });

  it('packs eight cells into a byte', () => {
    const png = toPng(drawn('#.......#', '.########'));
    const start = png.indexOf('IDAT') + 4;
    const length = png.readUInt32BE(start - 8);
    const pixels = inflateSync(png.subarray(start, start + length));
    expect(pixels.toString('hex')).toBe('008080007f80');
  });

  it('lets a glider glide, over the edge and back in', () => {
    const before = drawn('.#...', '..#..', '###..', '.....', '.....');
    let cells = before;
    for (let step = 0; step < 4; step++) cells = nextGeneration(cells);
    expect(cells).toEqual(drawn('.....', '..#..', '...#.', '.###.', '.....'));
    for (let step = 4; step < 20; step++) cells = nextGeneration(cells);
    expect(cells).toEqual(before);
  });
});
