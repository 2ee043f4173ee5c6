import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/07-stocks/app.module.js';
import { openStream, runSample } from '../support/sample.js';

describe('sample 07, stocks', () => {
  // feature: 108
  it('gives each client the prices of its stock, a newcomer also the last ones', async () => {
    const app = await runSample(AppModule);
    const [acme, umbra] = await Promise.all([
      openStream(app, '/stocks/ACME'),
      openStream(app, '/stocks/UMBRA'),
    ]);
    const prices = await acme.take(2);
    const isOf = (symbol: string) => ({
      type: 'price_update',
      id: expect.stringMatching(/^1\./),
      data: { symbol, price: expect.any(Number), time: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    expect(prices).toEqual([isOf('ACME'), isOf('ACME')]);
    expect(await umbra.take(2)).toEqual([isOf('UMBRA'), isOf('UMBRA')]);

    const newcomer = await openStream(app, '/stocks/ACME');
    expect(await newcomer.take(2)).toEqual(prices);
  });

  // feature: 108
  it('says which stocks there are', async () => {
    const app = await runSample(AppModule);
    const stream = await openStream(app, '/stocks/NOPE');
    expect(stream.status).toBe(400);
    await stream.until(({ text }) => text.includes('symbol: expected one of ACME, GLOBEX'));
  });
});
