import { describe, expect, it } from '@jest/globals';
import { AppModule } from '../../sample/11-chat/app.module.js';
import { openStream, post, runSample } from '../support/sample.js';

const said = (name: string, text: string) => ({ type: 'said', data: { name, text } });

describe('sample 11, chat', () => {
  // feature: 113
  it('takes three users in two rooms, and gives one that was away what was missed', async () => {
    const app = await runSample(AppModule);
    const say = (room: string, name: string, text: string) =>
      post(app, `/rooms/${room}`, { name, text });
    const ann = await openStream(app, '/rooms/lobby');
    const ben = await openStream(app, '/rooms/lobby');
    const cleo = await openStream(app, '/rooms/kitchen');

    await say('lobby', 'Ann', 'Hello');
    expect(await ben.next()).toMatchObject(said('Ann', 'Hello'));
    ben.close();
    await say('lobby', 'Ann', 'Ben?');
    await say('kitchen', 'Cleo', 'Tea?');
    await say('lobby', 'Ann', 'Gone.');
    const back = await ben.reconnect();
    await say('lobby', 'Ben', 'Here.');

    const missed = [said('Ann', 'Ben?'), said('Ann', 'Gone.'), said('Ben', 'Here.')];
    expect(await back.take(3)).toMatchObject(missed);
    expect(await ann.take(4)).toMatchObject([said('Ann', 'Hello'), ...missed]);
    expect(cleo.events).toMatchObject([said('Cleo', 'Tea?')]);
    const newcomer = await openStream(app, '/rooms/kitchen');
    expect(await newcomer.next()).toMatchObject(said('Cleo', 'Tea?'));
  });

  it.each([
    ['/rooms/cellar', { name: 'Ann', text: 'Hello' }, 'room: expected one of lobby, kitchen'],
    ['/rooms/lobby', { name: '', text: 'Hello' }, 'name: expected a text of 1 to 30 characters'],
    ['/rooms/lobby', { name: 'Ann', text: 'x'.repeat(501) }, 'text: expected a text of 1 to 500'],
  ])('answers 400 to POST %s', async (path, body, words) => {
    const app = await runSample(AppModule);
    const answer = await post(app, path, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ message: expect.stringContaining(words) });
  });
});
