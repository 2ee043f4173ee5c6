import { expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { map } from 'rxjs';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { ADAPTERS, serve } from '../support/serve.js';

interface Payment {
  n: number;
  secret?: string;
}

@Controller()
class Payments {
  constructor(private readonly hub: Broadcaster<{ paid: Payment }>) {}

  @SseStream('in-place')
  inPlace() {
    return this.hub.stream('payments').pipe(
      map((event) => {
        const shared: Payment = Object.freeze(event.data);
        delete shared.secret;
        return event;
      }),
    );
  }

  @SseStream('copied')
  copied() {
    return this.hub
      .stream('payments')
      .pipe(map((event) => ({ ...event, data: { n: event.data.n } })));
  }

  @SseStream('as-it-was')
  asItWas() {
    return this.hub.stream('payments');
  }
}

it.each(ADAPTERS)(
  'a change instead of what is frozen ends that stream, and the log has the remedy (%s)',
  async (adapter) => {
    const app = await serve(Payments, { adapter });
    const streams = ['/in-place', '/copied', '/as-it-was'].map((path) => app.open(path));
    for (const stream of streams) await stream.until(({ text }) => text.includes('id: '));
    await app.nest.get(Broadcaster).to('payments').emit('paid', { n: 1, secret: 's3cret' });
    const [changed, copied, asItWas] = await Promise.all(streams.map((stream) => stream.next()));
    expect(changed).toMatchObject({ type: 'sse-error' });
    expect(copied?.data).toEqual({ n: 1 });
    expect(asItWas?.data).toEqual({ n: 1, secret: 's3cret' });
    expect(await streams[0]?.ended).not.toContain('s3cret');
    expect(app.logged.filter((line) => line.includes('send a copy'))).toHaveLength(
      adapter === 'express' ? 1 : 0,
    );
  },
);
