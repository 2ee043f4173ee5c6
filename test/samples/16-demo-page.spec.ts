import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/16-demo-page/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 16, demo page', () => {
  it('makes each fifth message a notification', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/events');
    const events = await stream.take(5);
    expect(events.map(({ type }) => type)).toEqual([
      ...Array.from({ length: 4 }, () => 'message'),
      'notification',
    ]);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(events[0]!.data).toEqual({ count: 1, time, text: 'All is well' });
    expect(events[4]!.data).toEqual({ count: 5, time, text: 'Time for a break' });
    expect(stream.text).toMatch(/\n\nevent: notification\ndata: {"count":5,.*}\n\n$/);
  });

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
