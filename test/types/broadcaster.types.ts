import type { INestApplication } from '@nestjs/common';
import {
  Broadcast,
  Broadcaster,
  getBroadcasterToken,
  InjectBroadcaster,
  type CloseReason,
  type EmitOptions,
  type Emitter,
  type EventMap,
  type HistoryPage,
  type HubStreamOptions,
  type PresenceChange,
  type RoomMember,
  type RoomHook,
  type RoomHookOptions,
  type RoomParams,
  type RoomsChange,
  type RoomsChangeOptions,
  type RoomsInForce,
  type SseEvent,
  type SseMessage,
  type StateRoom,
} from 'nestjs-eventstream';
import { filter, map, type Observable } from 'rxjs';

interface Order {
  no: number;
  note?: string;
}
interface OrderEvents {
  created: Order;
  shipped: { no: number; at: Date };
  cleared: null;
}
type PriceEvents = { price: { symbol: string; value: number }; halt: string };

export class Services {
  constructor(
    readonly any: Broadcaster,
    @InjectBroadcaster() readonly prices: Broadcaster<PriceEvents>,
    @InjectBroadcaster('orders') readonly orders: Broadcaster<OrderEvents>,
  ) {}
}

export async function anInterface(orders: Broadcaster<OrderEvents>): Promise<void> {
  const cursor: string = await orders.to('a', 'b').emit('created', { no: 1 });
  await orders.to(cursor).emit('created', { no: 1, note: 'x' }, { ephemeral: true, retry: 5 });
  await orders.to('a').emit('cleared', null);
  // @ts-expect-error no such type
  await orders.to('a').emit('deleted', { no: 1 });
  // @ts-expect-error the payload of another type
  await orders.to('a').emit('shipped', { no: 1, note: 'x' });
  // @ts-expect-error a wrong payload
  await orders.to('a').emit('created', { no: '1' });
  // @ts-expect-error a missing field
  await orders.to('a').emit('shipped', { no: 1 });
  // @ts-expect-error one field too many
  await orders.to('a').emit('created', { no: 1, name: 'x' });
  // @ts-expect-error no payload
  await orders.to('a').emit('created');
  // @ts-expect-error a misspelt option
  await orders.to('a').emit('created', { no: 1 }, { ephemral: true });
}

export async function aTypeAlias(prices: Broadcaster<PriceEvents>): Promise<void> {
  await prices.to('ACME').emit('price', { symbol: 'ACME', value: 1 });
  await prices.to('ACME').emit('halt', 'now');
  // @ts-expect-error no such type
  await prices.to('ACME').emit('prize', { symbol: 'ACME', value: 1 });
  // @ts-expect-error a wrong payload
  await prices.to('ACME').emit('halt', 7);
  // @ts-expect-error a missing field
  await prices.to('ACME').emit('price', { symbol: 'ACME' });
}

export async function anyEvents(app: INestApplication, plain: Broadcaster): Promise<void> {
  await plain.to('a').emit('whatever', { n: 1 });
  await plain.to('a').emit('else', undefined);
  await app.get(Broadcaster).to('a').emit('whatever', 7);
  await app.get(getBroadcasterToken('orders')).to('a').emit('whatever', 7);
  await app
    .get<Broadcaster<OrderEvents>>(getBroadcasterToken('orders'))
    .to('a')
    .emit('cleared', null);
  const message: SseMessage = { type: 'x', data: 1 };
  await plain.publish(['a', 'b'], message, { ephemeral: true });
  // @ts-expect-error a type is a text
  await plain.to('a').emit(7, 1);
  // @ts-expect-error a misspelt field
  await plain.publish('a', { event: 'x', data: 1 });
}

export function narrowing(event: SseEvent<OrderEvents>, plain: SseEvent): string | number {
  const id: string | undefined = event.id;
  const rooms: readonly string[] = event.rooms;
  // @ts-expect-error not before the type is known
  const note: string | undefined = event.data.note;
  // @ts-expect-error the data of an unknown hub is unknown
  const unknownData: string = plain.data;
  switch (event.type) {
    case 'created':
      return event.data.note ?? event.data.no;
    case 'shipped':
      return event.data.at.toISOString();
    case 'cleared': {
      const nothing: null = event.data;
      return String(nothing);
    }
    // @ts-expect-error no such type
    case 'deleted':
      break;
  }
  return [note, id, unknownData, ...rooms].join('');
}

export function readOnly(event: SseEvent<OrderEvents>, plain: SseEvent): void {
  // @ts-expect-error read-only
  event.type = 'created';
  // @ts-expect-error read-only
  plain.data = { n: 1 };
}

export function streams(orders: Broadcaster<OrderEvents>): Observable<unknown>[] {
  const all: Observable<SseEvent<OrderEvents>> = orders.stream('a');
  return [
    all,
    orders.stream(['a', 'b'] as const, { types: ['created', 'shipped'] }),
    orders.stream('a', { filter: (event) => event.type === 'created' && event.data.no > 1 }),
    orders.stream('a').pipe(
      filter((event) => event.type === 'shipped'),
      map((event) => ({ ...event, data: event.data.at })),
    ),
    // @ts-expect-error no such type
    orders.stream('a', { types: ['created', 'deleted'] }),
    orders.stream('a', { until: ['shipped'] }),
    // @ts-expect-error no such type
    orders.stream('a', { until: ['deleted'] }),
    orders.stream('a', { until: (event) => event.type === 'created' && event.data.no > 1 }),
    // @ts-expect-error a message of a snapshot has no rooms
    orders.stream('a', { until: ({ rooms }) => rooms.length > 1 }),
    orders.stream('a', { idPrefix: 'session-1/' }),
    // @ts-expect-error a prefix is a text
    orders.stream('a', { idPrefix: 1 }),
    // @ts-expect-error it answers at once
    orders.stream('a', { until: async () => true }),
    // @ts-expect-error a misspelt option
    orders.stream('a', { type: ['created'] }),
    // @ts-expect-error the data of one type only after a look at the type
    orders.stream('a', { filter: (event) => event.data.note !== '' }),
    // @ts-expect-error a filter answers a boolean
    orders.stream('a', { filter: (event) => event.type }),
    // @ts-expect-error a room is a text
    orders.stream(7),
  ];
}

// @ts-expect-error events of one hub are not those of another
export const mixed = (prices: Broadcaster<PriceEvents>): Broadcaster<OrderEvents> => prices;

interface Face {
  to(...rooms: string[]): Emitter<EventMap>;
  toUser(...users: string[]): Emitter<EventMap>;
  publish(
    rooms: string | readonly string[],
    message: SseMessage,
    options?: EmitOptions,
  ): Promise<string>;
  stream(
    rooms: string | readonly string[],
    options?: HubStreamOptions<EventMap>,
  ): Observable<SseEvent>;
  changeRooms(change: RoomsChange, options?: RoomsChangeOptions): Promise<RoomsInForce>;
  state<State extends object = Record<string, unknown>>(room: string): StateRoom<State>;
  position(): Promise<string>;
  history(room: string, range?: { after?: string; limit?: number }): Promise<HistoryPage<EventMap>>;
  members(room: string): Promise<RoomMember[]>;
  readonly presence$: Observable<PresenceChange>;
  onRoom<Pattern extends string>(
    pattern: Pattern,
    start: RoomHook<Pattern>,
    options?: RoomHookOptions,
  ): () => void;
  rooms(): string[];
  size(room?: string): number;
  closeRoom(room: string, reason?: CloseReason): void;
}

/** Exactly these members, no more and no fewer. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;
export const offers: Same<Pick<Broadcaster, keyof Broadcaster>, Face> = true;

export const params: Same<
  RoomParams<':tenant:news/user :id/chat::room.x'>,
  { readonly tenant: string; readonly id: string; readonly room: string }
> = true;
export const anyParams: Same<RoomParams<string>, Readonly<Record<string, string>>> = true;

export function hooks(plain: Broadcaster, stop: () => Promise<void>): void {
  plain.onRoom('prices.:symbol', (room: string, { symbol }) => void [room, symbol.length]);
  plain.onRoom('a', () => stop, { lingerMs: 0 });
  plain.onRoom('a', async () => stop);
  // @ts-expect-error a colon within a part begins no parameter
  plain.onRoom('chat:lobby', (_room, { lobby }) => void lobby);
  // @ts-expect-error the pattern has no such part
  plain.onRoom('prices.:symbol', (_room, { name }) => void name);
  // @ts-expect-error what it returns is called
  plain.onRoom('a', () => 7);
}

export function engine(plain: Broadcaster, app: INestApplication): void {
  // A class for `instanceof` and for dependency injection.
  const isOne: boolean = app.get<unknown>(Broadcaster) instanceof Broadcaster;
  // @ts-expect-error only the library makes broadcasters
  const made = new Broadcaster();
  // @ts-expect-error the log is not the app's
  const { log } = plain;
  // @ts-expect-error nor the shutdown
  void plain.close();
  // @ts-expect-error an object with the same members is no broadcaster
  const other: Broadcaster = {} as Face;
  void [isOne, made, log, other];
}

export class Bridge {
  @Broadcast('orders') any(order: Order): Order {
    return order;
  }
  @Broadcast({ room: ({ no }: Order, by: string) => `${no} ${by}` })
  async later(by: string): Promise<Order | undefined> {
    return by === '' ? undefined : { no: 7 };
  }
  // @ts-expect-error the room is asked for by what the method returns
  @Broadcast({ room: ({ no }: Order) => `orders.${no}` })
  other(): string {
    return 'no order';
  }
}

interface Quote {
  bid: number;
  ask: number;
}
interface Board {
  title: string;
  open: boolean;
}
interface States {
  prices: Record<string, Quote>;
  settings: { theme: 'dark' | 'light' };
  [board: `board:${string}`]: Board;
}

export class WithStates {
  private readonly prices: StateRoom<Record<string, Quote>>;
  constructor(
    @InjectBroadcaster() private readonly hub: Broadcaster<PriceEvents, States>,
    readonly plain: Broadcaster,
  ) {
    this.prices = hub.state('prices');
  }

  async namedRooms(id: string, room: string): Promise<void> {
    const { hub } = this;
    await this.prices.set('ACME', { bid: 1, ask: 2 });
    await hub.to('ACME').emit('halt', 'now');
    await hub.state('settings').set('theme', 'dark');
    const open: boolean | undefined = (await hub.state(`board:${id}`).get('open'))?.value;
    await hub.state('board:7').set('title', String(open));
    // @ts-expect-error a misspelt room
    hub.state('price');
    // @ts-expect-error any room
    hub.state(room);
    // @ts-expect-error a wrong value
    await hub.state('settings').set('theme', 'blue');
    // @ts-expect-error no such key
    await hub.state(`board:${id}`).set('owner', 'ann');
    // @ts-expect-error the value of another room
    await hub.state('prices').set('ACME', 1);
    // @ts-expect-error entries that the hub does not name
    hub.state<Quote>('prices');
  }

  async unnamedRooms(room: string, app: INestApplication): Promise<void> {
    await this.plain.state(room).set('key', 1);
    await this.plain.state<Quote>('quote').set('bid', 1);
    const typed: StateRoom<Board> = this.plain.state(room);
    await typed.set('open', true);
    await app.get(Broadcaster).state('a').set('key', 1);
    await app.get(Broadcaster).state<Quote>('a').set('bid', 1);
    // @ts-expect-error a wrong value
    await this.plain.state<Quote>('quote').set('bid', '1');
  }
}

type WithOther = Broadcaster<PriceEvents, { prices: Record<string, string> }>;
// @ts-expect-error state rooms of one hub are not those of another
export const mixedStates = (hub: Broadcaster<PriceEvents, States>): WithOther => hub;
