import { describe, expect, it, jest } from '@jest/globals';
import { AppModule } from '../../sample/16-demo-page/app.module.js';
import { openStream, post, runSample, stopClocks } from '../support/sample.js';

describe('sample 16, demo page', () => {
  // feature: 117
  it('makes each fifth message a notification', async () => {
    stopClocks();
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/events');
    for (let n = 0; n < 5; n++) {
      jest.advanceTimersByTime(n === 0 ? 1 : 2_000);
      await stream.next();
    }
    const { events } = stream;
    expect(events.map(({ type }) => type)).toEqual([
      ...Array.from({ length: 4 }, () => 'message'),
      'notification',
    ]);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(events[0]!.data).toEqual({ count: 1, time, text: 'All is well' });
    expect(events[4]!.data).toEqual({ count: 5, time, text: 'Time for a break' });
    expect(stream.text).toMatch(/\n\nevent: notification\ndata: {"count":5,.*}\n\n$/);
  });

  // feature: 118
  it('sends an update to every page, as the text that it is', async () => {
    const app = await runSample(AppModule);
    const streams = [await openStream(app, '/events'), await openStream(app, '/events')];
    const text = '<img src=x onerror=alert(1)>';
    expect((await post(app, '/updates', { text })).status).toBe(201);
    for (const stream of streams) {
      expect(await stream.next('update')).toMatchObject({ data: { text } });
    }
    expect(await post(app, '/updates', { text: '' })).toMatchObject({
      status: 400,
      body: { message: 'text: expected a text of 1 to 200 characters' },
    });
  });
});
