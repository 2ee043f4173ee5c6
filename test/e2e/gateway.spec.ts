// A hub that is read by something else than a connection: a WebSocket gateway, as in
// docs/guide/clients.md.
import { expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import { map } from 'rxjs';
import { WebSocket } from 'ws';
import { Broadcaster, SseStream } from 'nestjs-eventstream';
import { serve, type TestApp } from '../support/serve.js';
import { until } from '../support/until.js';

@WebSocketGateway()
class OrdersGateway {
  constructor(private readonly broadcaster: Broadcaster) {}

  @SubscribeMessage('orders')
  orders(@MessageBody('lastEventId') lastEventId?: string) {
    return this.broadcaster
      .stream('orders', { lastEventId, connection: false })
      .pipe(map(({ type, id, data }) => ({ event: type, data: { id, data } })));
  }
}

@Controller()
class Streams {
  constructor(private readonly broadcaster: Broadcaster) {}
  @SseStream('orders') orders() {
    return this.broadcaster.stream('orders');
  }
}

interface Message {
  event: string;
  data: { id: string; data: unknown };
}

async function subscribe(app: TestApp, lastEventId?: string) {
  const socket = new WebSocket(app.url.replace('http', 'ws'));
  const got: Message[] = [];
  socket.on('message', (text) => got.push(JSON.parse((text as Buffer).toString()) as Message));
  await once(socket, 'open');
  socket.send(JSON.stringify({ event: 'orders', data: { lastEventId } }));
  return { socket, got };
}

// feature: 97
it('a gateway goes on from the cursor of its client, which may change to a stream and back', async () => {
  const app = await serve(Streams, {
    module: { providers: [OrdersGateway] },
    setup: (nest) => nest.useWebSocketAdapter(new WsAdapter(nest)),
  });
  const hub = app.nest.get(Broadcaster);
  const emit = (n: number): Promise<string> => hub.to('orders').emit('created', n);
  const readers = (count: number): Promise<void> =>
    until(`${count} readers`, () => hub.size('orders') === count);

  const first = await subscribe(app);
  await readers(1);
  const id = await emit(1);
  await until('an event', () => first.got.length === 1);
  expect(first.got).toEqual([{ event: 'created', data: { id, data: 1 } }]);

  first.socket.close();
  await readers(0);
  const ids = [await emit(2), await emit(3)];
  const again = await subscribe(app, id);
  await until('what was missed', () => again.got.length === 2);
  expect(again.got.map(({ data }) => data)).toEqual([
    { id: ids[0], data: 2 },
    { id: ids[1], data: 3 },
  ]);

  const stream = app.open('/orders', { headers: { 'last-event-id': id } });
  expect((await stream.take(2)).map((event) => event.id)).toEqual(ids);

  const elsewhere = await subscribe(app, '1.another.5');
  await until('a gap', () => elsewhere.got.length === 1);
  expect(elsewhere.got[0]).toMatchObject({ event: 'sse-gap' });
  for (const { socket } of [again, elsewhere]) socket.terminate();
});
