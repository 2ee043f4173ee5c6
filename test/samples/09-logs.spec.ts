import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/09-logs/app.module.js';
import { LogWriter } from '../../sample/09-logs/log-writer.js';
import { Tail } from '../../sample/09-logs/tail.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 09, logs', () => {
  // feature: 111
  it('sends each line once and soon, also past a rotation and a truncation', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/logs');
    const { path } = app.get(LogWriter);
    const delays: number[] = [];
    for (const step of [1, 2, 3, 4, 5, 6]) {
      if (step === 3) await post(app, '/logs/rotate');
      if (step === 5) await post(app, '/logs/truncate');
      const begun = performance.now();
      await appendFile(path, `test ${step}\n`);
      await stream.until(({ text }) => text.includes(`data: test ${step}\n`));
      delays.push(performance.now() - begun);
    }
    const own = stream.events
      .map(({ data }) => String(data))
      .filter((line) => line.startsWith('test'));
    expect(own).toEqual([1, 2, 3, 4, 5, 6].map((step) => `test ${step}`));
    // The best of six: the machine may have other things to do.
    expect(Math.min(...delays)).toBeLessThan(100);
  });

  it('appends one line, whatever is posted, and refuses what is none', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/logs');
    expect((await post(app, '/logs', { line: 'INFO one\ntwo' })).status).toBe(204);
    await stream.until(({ text }) => /data: \S+ INFO one two\n/.test(text));
    expect(await post(app, '/logs', { line: 1 })).toMatchObject({
      status: 400,
      body: { message: 'line: expected a text of 1 to 500 characters' },
    });
  });
});

describe('the tail of a file', () => {
  let folder: string;
  let path: string;
  let tail: Tail;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tail-'));
    path = join(folder, 'app.log');
    await writeFile(path, 'before\n');
    tail = new Tail(path);
    await tail.start();
  });

  afterEach(async () => {
    await tail.close();
    rmSync(folder, { recursive: true });
  });

  it('begins with what comes, and gives each line once', async () => {
    await appendFile(path, 'one\ntwo\r\n\nthree\n');
    expect(await tail.read()).toEqual(['one', 'two', '', 'three']);
    expect(await tail.read()).toEqual([]);
  });

  it('waits for the end of a line and of a character', async () => {
    const [tick] = [Buffer.from('✓')];
    await appendFile(path, Buffer.concat([Buffer.from('all '), tick.subarray(0, 1)]));
    expect(await tail.read()).toEqual([]);
    await appendFile(path, Buffer.concat([tick.subarray(1), Buffer.from(' well\nnext')]));
    expect(await tail.read()).toEqual(['all ✓ well']);
  });

  it('reads the old file to its end, then the new one from its beginning', async () => {
    await appendFile(path, 'one\n');
    await rename(path, `${path}.1`);
    await appendFile(`${path}.1`, 'two\nwithout an end');
    expect(await tail.read()).toEqual(['one', 'two']);
    await writeFile(path, 'three\n');
    expect(await tail.read()).toEqual(['without an end', 'three']);
  });

  it('goes on from the beginning of a file that was emptied', async () => {
    await appendFile(path, 'one\n');
    expect(await tail.read()).toEqual(['one']);
    await truncate(path);
    await appendFile(path, 'two\n');
    expect(await tail.read()).toEqual(['two']);
  });

  it('waits for a file that is not there yet, or no more', async () => {
    await rm(path);
    expect(await tail.read()).toEqual([]);
    await writeFile(path, 'one\n');
    expect(await tail.read()).toEqual(['one']);

    const other = new Tail(join(folder, 'other.log'));
    await other.start();
    expect(await other.read()).toEqual([]);
    await writeFile(join(folder, 'other.log'), 'first\n');
    expect(await other.read()).toEqual(['first']);
    await other.close();
  });

  it('gives a line without an end in pieces, and much of it at once', async () => {
    const count = 70_000;
    await appendFile(path, 'x'.repeat(count));
    const [piece] = await tail.read();
    await appendFile(path, 'y\n'.repeat(count));
    const [rest, ...lines] = await tail.read();
    expect(`${piece}${rest}`).toBe(`${'x'.repeat(count)}y`);
    expect(lines).toHaveLength(count - 1);
  });
});
