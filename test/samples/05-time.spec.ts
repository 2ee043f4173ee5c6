import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/05-time/app.module.js';
import { openStream, runSample } from '../support/sample.js';

describe('sample 05, time', () => {
  // feature: 106
  it('sends the time as text, without quotes, again and again', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/time');
    expect(stream.headers['content-type']).toMatch(/^text\/event-stream/);
    const times = await stream.take(2);
    expect(stream.text).toMatch(
      /^: connected\nretry: \d+\n\n(data: \d{4}-\d\d-\d\dT[\d:.]+Z\n\n){2}$/,
    );
    const [first, second] = times.map(({ data }) => Date.parse(String(data)));
    expect(second).toBeGreaterThan(first!);
  });
});
