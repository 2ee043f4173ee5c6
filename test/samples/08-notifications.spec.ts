import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/08-notifications/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

describe('sample 08, notifications', () => {
  // feature: 109
  it('sends to one user, or to everybody', async () => {
    const app = await runSample(AppModule);
    const ann = await openStream(app, '/notifications/ann');
    const ben = await openStream(app, '/notifications/ben');
    const { status, body } = await post(app, '/notifications/ann', { type: 'info', message: 'A' });
    expect(status).toBe(201);
    await post(app, '/notifications/everybody', { type: 'warning', message: 'All' });
    expect(await ann.take(2)).toMatchObject([
      { type: 'info', data: { message: 'A' }, ...(body as object) },
      { type: 'warning', data: { message: 'All' } },
    ]);
    expect(ann.text).toMatch(/data: {"message":"A"}\nid: 1\.\S+\n\nevent: warning\ndata: /);
    expect(await ben.next()).toMatchObject({ type: 'warning', data: { message: 'All' } });
  });

  // feature: 109
  it('puts a comment and a reconnection time beside an alert', async () => {
    const app = await runSample(AppModule);
    const ann = await openStream(app, '/notifications/ann');
    await post(app, '/notifications/ann', { type: 'alert', message: 'Now' });
    await ann.next('alert');
    expect(ann.text).toMatch(
      /\n\n: urgent\nevent: alert\nretry: 1000\ndata: {"message":"Now"}\nid: 1\.[\w.-]+\n\n$/,
    );
    expect(ann.retryMs).toBe(1_000);
  });

  it.each([
    [
      '/notifications/cleo',
      { type: 'info', message: 'A' },
      'to: expected one of ann, ben, everybody',
    ],
    ['/notifications/ann', { type: 'error', message: 'A' }, 'type: expected one of info, warning'],
    ['/notifications/ann', { type: 'info' }, 'message: expected a text of 1 to 200 characters'],
  ])('answers 400 to POST %s with %j', async (path, body, words) => {
    const app = await runSample(AppModule);
    const answer = await post(app, path, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ message: expect.stringContaining(words) });
  });
});
