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

    const heard = async (stream: typeof ann, count: number) => {
      const events = [];
      while (events.length < count) events.push(await stream.next('said'));
      return events;
    };

    await say('lobby', 'Ann', 'Hello');
    expect(await ben.next('said')).toMatchObject(said('Ann', 'Hello'));
    ben.close();
    await say('lobby', 'Ann', 'Ben?');
    await say('kitchen', 'Cleo', 'Tea?');
    await say('lobby', 'Ann', 'Gone.');
    const back = await ben.reconnect();
    await say('lobby', 'Ben', 'Here.');

    const missed = [said('Ann', 'Ben?'), said('Ann', 'Gone.'), said('Ben', 'Here.')];
    expect(await heard(back, 3)).toMatchObject(missed);
    expect(await heard(ann, 4)).toMatchObject([said('Ann', 'Hello'), ...missed]);
    expect(cleo.events.filter(({ type }) => type === 'said')).toMatchObject([said('Cleo', 'Tea?')]);
    const newcomer = await openStream(app, '/rooms/kitchen');
    expect(await newcomer.next('said')).toMatchObject(said('Cleo', 'Tea?'));
  });

  it('changes the room of an open stream', async () => {
    const app = await runSample(AppModule);
    await post(app, '/rooms/kitchen', { name: 'Cleo', text: 'Tea?' });
    const ann = await openStream(app, '/rooms/lobby?name=Ann');
    const { data } = await ann.next('sse-open');
    const { stream } = data as { stream: string };
    const refused = await post(app, '/rooms', { stream, join: ['cellar'] });
    expect(refused.status).toBe(403);
    const moved = await post(app, '/rooms', { stream, join: ['kitchen'], leave: ['lobby'] });
    expect(moved).toMatchObject({ status: 201, body: { rooms: ['kitchen'] } });
    expect(await ann.next('said')).toMatchObject(said('Cleo', 'Tea?'));
    await post(app, '/rooms/lobby', { name: 'Ben', text: 'Ann?' });
    await post(app, '/rooms/kitchen', { name: 'Ann', text: 'Here.' });
    expect(await ann.next('said')).toMatchObject(said('Ann', 'Here.'));
  });

  it('shows who is there', async () => {
    const app = await runSample(AppModule);
    const watcher = await openStream(app, '/rooms/lobby');
    const ann = await openStream(app, '/rooms/lobby?name=Ann');
    const key = 'Ann';
    expect(await watcher.next('sse-set')).toMatchObject({ data: { key } });
    expect(await ann.next('sse-set')).toMatchObject({ data: { key } });
    const ben = await openStream(app, '/rooms/lobby?name=Ben');
    await watcher.next('sse-set');
    expect((await ben.stateOf('sse:presence:lobby')).size).toBeGreaterThanOrEqual(1);
    const long = await openStream(app, `/rooms/lobby?name=${'x'.repeat(31)}`);
    expect(long.status).toBe(400);
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
