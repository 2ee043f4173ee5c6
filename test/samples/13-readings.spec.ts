import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/13-readings/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 13, readings', () => {
  // feature: 115
  it('shows its options on the wire', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/readings');
    expect(stream.headers['x-sensor']).toBe('greenhouse');
    expect(await stream.take(2)).toEqual([
      { type: 'temperature', id: undefined, data: { value: 21, unit: '°C' } },
      { type: 'humidity', id: undefined, data: { value: 75, unit: '%' } },
    ]);
    expect(stream.text).toMatch(
      /^: connected, keep-alive 1000\nretry: 3000\n\nevent: temperature\n/,
    );
    await stream.until(({ text }) => text.endsWith(': keep-alive\n\n'));

    expect((await post(app, '/readings/break')).status).toBe(204);
    expect(await stream.next('failed')).toMatchObject({
      data: { reason: 'The sensor does not answer' },
    });
    expect(await stream.ended).not.toContain('sse-error');
    const back = await stream.reconnect();
    expect(await back.next()).toMatchObject({ type: 'temperature' });
  });
});
