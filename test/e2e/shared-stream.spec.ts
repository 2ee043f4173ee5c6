// Each process warns of it once, so these run in this order, in one file, on one platform.
import { expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { defer, delay, share, take } from 'rxjs';
import { serve } from '../support/serve.js';
import { until } from '../support/until.js';

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  private readonly prices = defer(() => this.hub.stream('a')).pipe(share());

  @SseStream('own') own() {
    return this.hub.stream('a');
  }
  @SseStream('late') late() {
    return this.hub.stream('a').pipe(take(1), delay(1));
  }
  @SseStream('own-ids') ownIds() {
    return defer(() => [{ id: 'order 1', data: 1 }]);
  }
  @SseStream('shared') shared() {
    return this.prices;
  }
}

const open = async (paths: string[]) => {
  const app = await serve(Streams);
  const streams = paths.map((path) => app.open(path));
  const connections = app.nest.get(SseConnections);
  await until('all are open', () => connections.count === paths.length);
  const { hub } = app.nest.get(Streams);
  for (let n = 1; n <= 3; n++) await hub.to('a').emit('price', n);
  const about = () => app.logged.filter((line) => line.includes('never called stream()'));
  return { app, streams, about };
};

it('a stream of its own for each connection is nothing to warn of', async () => {
  const { app, streams, about } = await open(['/own', '/own', '/late']);
  expect((await app.open('/own-ids').next()).id).toBe('order 1');
  await Promise.all(streams.map((stream) => stream.next()));
  expect(about()).toEqual([]);
});

it('a stream that connections share is warned of once, with what to do', async () => {
  const { streams, about } = await open(['/shared', '/shared', '/shared']);
  await Promise.all(streams.map((stream) => stream.next()));
  expect(about()).toEqual([expect.stringContaining('Call stream() once per connection')]);
});
