import { randomUUID } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import { AppModule } from '../../sample/10-progress/app.module.js';
import type { Progress } from '../../sample/10-progress/jobs.service.js';
import { openStream, post, runSample, stopClocks } from '../support/sample.js';

describe('sample 10, progress', () => {
  // feature: 112
  it('tells each percent, ends with the job, and is not asked again', async () => {
    stopClocks();
    const app = await runSample(AppModule);
    const { id } = (await post(app, '/jobs')).body as { id: string };
    const stream = await openStream(app, `/jobs/${id}`);
    jest.advanceTimersByTime(4_001);
    await stream.ended;
    const events = stream.events.filter(({ type }) => type === 'progress');
    const percents = events.map(({ data }) => (data as Progress).percent);
    expect(percents).toEqual(Array.from({ length: 101 }, (_, percent) => percent));
    expect(events.at(-1)!.data).toEqual({ percent: 100, step: 'Done' });
    expect(stream.events.at(-1)).toMatchObject({ type: 'sse-end', data: { reason: 'complete' } });
    expect((await stream.reconnect()).status).toBe(204);

    const late = await openStream(app, `/jobs/${id}`);
    await late.ended;
    expect(late.events.map(({ type }) => type)).toEqual(['progress', 'sse-end']);
    expect(late.events[0]!.data).toEqual({ percent: 100, step: 'Done' });
  });

  it.each([
    [randomUUID(), 404, 'There is no job'],
    ['7', 400, 'uuid'],
  ])('answers GET /jobs/%s with %d', async (id, status, words) => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, `/jobs/${id}`);
    expect(stream.status).toBe(status);
    await stream.until(({ text }) => text.includes(words));
  });
});
