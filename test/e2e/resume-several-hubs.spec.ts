import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { merge } from 'rxjs';
import { Broadcaster, InjectBroadcaster, SseModule, SseStream } from 'nestjs-eventstream';
import { hasCursor, range, returning } from '../support/resuming.js';
import { ADAPTERS, serve } from '../support/serve.js';
import { responded } from '../support/stream-client.js';

describe.each(ADAPTERS)('several hubs in one stream (%s)', (adapter) => {
  @Controller()
  class Two {
    constructor(
      readonly main: Broadcaster,
      @InjectBroadcaster('orders') readonly orders: Broadcaster,
    ) {}
    @SseStream('both') both() {
      return merge(this.main.stream('r'), this.orders.stream('r'));
    }
    @SseStream('twice') twice() {
      return merge(this.main.stream('r'), this.main.stream('s'));
    }
    @SseStream('six') six() {
      return merge(...range(1, 6).map((n) => this.main.stream(String(n))));
    }
  }
  const start = async () => {
    const app = await serve(Two, {
      adapter,
      module: { imports: [SseModule.forFeature([{ name: 'orders' }])] },
    });
    return { app, hubs: app.nest.get(Two) };
  };

  it('share one last event ID, and each goes on where the client stood in it', async () => {
    const { app, hubs } = await start();
    const stream = app.open('/both');
    await stream.until(hasCursor);
    await hubs.main.publish('r', { data: 'm1' });
    await hubs.orders.publish('r', { data: 'o1' });
    const [, second] = await stream.take(2);
    stream.close();
    expect(second?.id).toMatch(/^1\.[\w-]{8}\.\w+~1\.[\w-]{8}\.\w+$/);
    expect(second?.id?.length).toBeLessThanOrEqual(128);
    await hubs.orders.publish('r', { data: 'o2' });
    await hubs.main.publish('r', { data: 'm2' });
    const again = app.open('/both', returning(second?.id));
    expect((await again.take(2)).map(({ data }) => String(data)).sort()).toEqual(['m2', 'o2']);
    expect(again.text).not.toContain('sse-gap');
  });

  it('two streams of one hub do not hold each other back', async () => {
    const { app, hubs } = await start();
    const stream = app.open('/twice');
    await stream.until(hasCursor);
    await hubs.main.publish('r', { data: 'r1' });
    const id = await hubs.main.publish('s', { data: 's1' });
    expect((await stream.take(2)).at(-1)?.id).toBe(id);
    const again = app.open('/twice', returning(id));
    await hubs.main.publish('r', { data: 'r2' });
    expect(await again.next()).toMatchObject({ data: 'r2' });
  });

  it('are at most five, and the error says what to do', async () => {
    const { app } = await start();
    expect((await responded(app.open('/six'))).status).toBe(500);
    expect(app.logged).toEqual([
      'maxHubStreams is 5: a connection cannot read more hub streams; open one stream with several rooms instead',
    ]);
  });
});
