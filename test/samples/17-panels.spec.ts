import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/17-panels/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 17, ten panels', () => {
  // feature: 119
  it('has a room for each panel that is open, and says how many', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/panels', { headers: { 'x-tab': 'ann' } });
    const { data } = await stream.next('sse-open');
    const { stream: token } = data as { stream: string };
    const readers = async (rooms: number) => {
      for (;;) {
        const { data: change } = await stream.next('sse-set');
        const { value } = change as { value: unknown };
        if (JSON.stringify(value) === JSON.stringify([{ tab: 'ann', rooms }])) return;
      }
    };
    await readers(1);

    const opened = await post(app, '/panels', { stream: token, join: ['Oven', 'Saw'] });
    expect(opened).toMatchObject({ body: { rooms: ['readers', 'Oven', 'Saw'] } });
    await readers(3);
    const loads = [...(await stream.stateOf('Oven')).values()];
    expect(loads).toEqual([expect.arrayContaining([expect.any(Number)])]);
    const closed = await post(app, '/panels', { stream: token, leave: ['Oven'] });
    expect(closed).toMatchObject({ body: { rooms: ['readers', 'Saw'] } });
    await readers(2);

    const refused = await post(app, '/panels', { stream: token, join: ['Cellar'] });
    expect(refused.status).toBe(403);
  });
});
