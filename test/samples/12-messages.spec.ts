import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/12-messages/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 12, messages', () => {
  // feature: 114
  it('goes on after the id that a client returns with', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/messages');
    const ids = (await stream.take(2)).map(({ id }) => id);
    expect(ids).toEqual(['msg-0', 'msg-1']);
    const back = await stream.reconnect();
    expect(await back.next()).toEqual({ type: 'message', id: 'msg-2', data: expect.any(String) });
    expect(back.text).toMatch(/\n\ndata: .*\nid: msg-2\n\n$/);

    expect((await post(app, '/messages/interrupt')).status).toBe(204);
    await back.ended;
    expect(back.text).not.toContain('sse-end');
  });

  // feature: 114
  it('begins at the beginning for an id that it does not know, and ends with the last', async () => {
    const app = await runSample(AppModule);
    const stranger = await openStream(app, '/messages', { lastEventId: 'nonsense' });
    expect(await stranger.next()).toMatchObject({ id: 'msg-0' });
    const last = await openStream(app, '/messages', { lastEventId: 'msg-10' });
    await last.ended;
    expect(last.events.map(({ id }) => id)).toEqual(['msg-11', 'sse-end']);
    expect((await last.reconnect()).status).toBe(204);
  });
});
