// What an app may throw: also a value that throws when somebody looks at it.
import { expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { concat, map, of, throwError } from 'rxjs';
import { Broadcaster, SseConnections, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';
import { until } from '../support/until.js';

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

@Controller()
class Streams {
  constructor(private readonly hub: Broadcaster) {}
  @SseStream('generator') async *generator() {
    yield 1;
    throw revoked();
  }
  @SseStream('source') source() {
    return concat(of(1), throwError(revoked));
  }
  @SseStream('operator') operator() {
    return concat(
      of(1),
      of(2).pipe(
        map((): number => {
          throw revoked();
        }),
      ),
    );
  }
  @SseStream('filter') filter() {
    return this.hub.stream('a', {
      filter: () => {
        throw revoked();
      },
    });
  }
}

it.each(ADAPTERS)(
  'a thrown value that cannot be read ends that stream alone (%s)',
  async (adapter) => {
    const app = await serve(Streams, { adapter });
    const paths = ['generator', 'source', 'operator', 'filter'];
    const streams = paths.map((path) => app.open(`/${path}`));
    await until('a reader', () => app.nest.get(Broadcaster).size('a') === 1);
    await app.nest.get(Broadcaster).to('a').emit('n', 1);
    for (const stream of streams) expect(await stream.ended).toContain('event: sse-error');
    expect(app.nest.get(SseConnections).count).toBe(0);
  },
);

it('a flood before the first byte has the limit of every other', async () => {
  @Controller()
  class Flood {
    constructor(private readonly hub: Broadcaster) {}
    @SseStream('flood', { backpressure: { maxBufferedBytes: 65_536 } }) flood() {
      process.nextTick(() => {
        for (let n = 0; n < 100; n++) void this.hub.to('a').emit('n', 'x'.repeat(1_000_000));
      });
      return this.hub.stream('a');
    }
  }
  const app = await serve(Flood);
  const connections = app.nest.get(SseConnections);
  const reasons: string[] = [];
  let most = 0;
  connections.opened$.subscribe((connection) => (most = Math.max(most, connection.bufferedBytes)));
  connections.closed$.subscribe(({ reason }) => reasons.push(reason));
  app.open('/flood');
  await until('the end', () => connections.count === 0 && reasons.length > 0);
  expect(reasons).toEqual(['overflow']);
  expect(most).toBeLessThan(3_000_000);
});
