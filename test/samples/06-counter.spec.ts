import { describe, expect, it, jest } from '@jest/globals';
import { AppModule } from '../../sample/06-counter/app.module.js';
import { openStream, runSample, stopClocks } from '../support/sample.js';

const COUNTED = Array.from({ length: 11 }, (_, n) => `data: ${n}\n\n`).join('');

describe('sample 06, counter', () => {
  // feature: 107
  it('counts from 0 to 10, says that this was all, and answers 204 to a returning client', async () => {
    stopClocks();
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/counter');
    jest.advanceTimersByTime(4_001);
    const text = await stream.ended;
    expect(text.replace(/^: connected\nretry: \d+\n\n/, '')).toBe(
      `${COUNTED}event: sse-end\ndata: {"reason":"complete"}\nid: sse-end\n\n`,
    );
    expect((await stream.reconnect()).status).toBe(204);
  });
});
