import { connectTabs, type SharedStream } from 'nestjs-eventstream/client/tabs';
import { sseContract } from 'nestjs-eventstream/contract';
import { z } from 'zod';

interface Events {
  price: { value: number };
}

const stream: SharedStream<Events> = connectTabs<Events>('/prices', {
  takeOverMs: false,
  roomsOf: ({ data }) => String(data),
});
stream.on('price', ({ data }) => data.value.toFixed());
stream.on('sse-gap', ({ data }) => data.rooms.join());
// @ts-expect-error there is no event of this type
stream.on('prize', () => {});
void stream.join('a', 'b').then(() => stream.rooms.includes('a'));
const leads: boolean = stream.isLeading;
// @ts-expect-error the lock decides
stream.isLeading = leads;
// @ts-expect-error it cannot be set: the tabs share it
stream.lastEventId = '1';

const orders = sseContract({ path: 'orders', events: { created: z.object({ no: z.number() }) } });
connectTabs(orders).on('created', ({ data }) => data.no.toFixed());
connectTabs(orders, { name: 'a', validate: true }).on('created', ({ data }) => data.no.toFixed());
