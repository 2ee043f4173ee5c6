import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/01-dashboard/app.module.js';
import { openStream, runSample } from '../support/sample.js';

describe('sample 01, dashboard', () => {
  // feature: 110
  it('gives three clients equal figures', async () => {
    const app = await runSample(AppModule);
    const open = () => openStream(app, '/events?rooms=memory');
    const streams = await Promise.all([open(), open(), open()]);
    const [first, ...others] = await Promise.all(streams.map((stream) => stream.take(2)));
    expect(first).toMatchObject([{ type: 'memory' }, { type: 'memory' }]);
    for (const other of others) expect(other).toEqual(first);
  });
});
