import type { Broadcaster } from 'nestjs-eventstream';
import {
  connect,
  type ConnectOptions,
  type EventStream,
  type RoomState,
  type StateChange,
  type StreamEvent,
} from 'nestjs-eventstream/client';
import { from, map, type Observable } from 'rxjs';

interface Order {
  no: number;
}
interface OrderEvents {
  created: Order;
  cleared: null;
  message: string;
}

/** One map of events for both ends. */
export const bothEnds = (_hub: Broadcaster<OrderEvents>): EventStream<OrderEvents> =>
  connect<OrderEvents>('/orders');

export function listeners(stream: EventStream<OrderEvents>): void {
  const off: () => void = stream.on('created', ({ type, data, id }) => {
    const no: number = data.no;
    const only: 'created' = type;
    const cursor: string | undefined = id;
    // @ts-expect-error an id may be absent
    const always: string = id;
    void [no, only, cursor, always];
  });
  off();
  stream.on('message', ({ data }) => data.toUpperCase());
  // @ts-expect-error no such event
  stream.on('deleted', () => {});
  // @ts-expect-error the data of another event
  stream.on('created', ({ data }) => data.toUpperCase());
  // @ts-expect-error null has no number
  stream.on('cleared', ({ data }) => data.no);
  // @ts-expect-error a listener of another payload
  stream.on('created', (_event: { data: string }) => {});
  // @ts-expect-error events are not changed
  stream.on('created', (event) => (event.data = { no: 1 }));
}

export function controlEvents(stream: EventStream<OrderEvents>): void {
  stream.on('sse-gap', ({ data: { rooms, reason } }) => {
    const names: string[] = rooms;
    const isTrimmed: boolean = reason === 'trimmed';
    // @ts-expect-error no such reason
    void (reason === 'lost');
    void [names, isTrimmed];
  });
  stream.on('sse-end', ({ data }) => data.reason.toUpperCase());
  stream.on('sse-error', ({ data }) => data.statusCode.toFixed());
  stream.on('sse-state', ({ data }) => data.rooms.join() + data.entries.toFixed());
  stream.on('sse-set', ({ data: { room, key, value } }) => {
    // @ts-expect-error the value is not known here
    void value.bid;
    void [room.length, key.length];
  });
  stream.on('sse-delete', ({ data }) => data.room + data.key);
  stream.on('sse-open', ({ data }) => data.stream + data.rooms.join());
  stream.on('sse-rooms', ({ data }) => data.rooms.join());
  // @ts-expect-error no such event of the library
  stream.on('sse-closed', () => {});
}

export async function loops(stream: EventStream<OrderEvents>): Promise<void> {
  for await (const event of stream) {
    if (event.type === 'created') void event.data.no;
    else if (event.type === 'message') void event.data.length;
    else if (event.type === 'sse-gap') void event.data.rooms;
    // @ts-expect-error no such event
    else if (event.type === 'deleted') return;
    // @ts-expect-error the type is not known here
    void event.data.no;
  }
}

export function observables(stream: EventStream<OrderEvents>): Observable<string> {
  stream.subscribe((event) => event.type === 'created' && event.data.no);
  stream.subscribe({ next: ({ type }) => type, error: () => {}, complete: () => {} }).unsubscribe();
  // @ts-expect-error a misspelt callback
  stream.subscribe({ nxt: () => {} });
  return from(stream).pipe(map(({ type }) => type));
}

interface Quote {
  bid: number;
}
interface Settings {
  theme: 'dark' | 'light';
  size: number;
}

export async function states(stream: EventStream<OrderEvents>): Promise<void> {
  const prices: RoomState<Record<string, Quote>> = stream.stateOf<Record<string, Quote>>('prices');
  const plain: ReadonlyMap<string, Quote> = prices;
  void prices.get('ACME')?.bid;
  // @ts-expect-error there may be none
  void prices.get('ACME').bid;
  // @ts-expect-error only the server changes it
  prices.set('ACME', { bid: 1 });
  // @ts-expect-error only the server changes it
  prices.clear();
  for (const [key, { bid }] of prices) void [key.length, bid];
  await prices.ready;
  for await (const { kind, key, value } of prices.changes) {
    if (kind === 'set') void [key.length, value.bid];
    else if (kind === 'delete') void key.length;
    // @ts-expect-error no such kind
    else if (kind === 'clear') return;
    // @ts-expect-error a whole state has no key
    else void key.length;
  }

  const settings = stream.stateOf<Settings>('settings', [['size', 1]]);
  const theme: 'dark' | 'light' | undefined = settings.get('theme');
  const size: number | undefined = settings.get('size');
  // @ts-expect-error no such key
  settings.get('colour');
  // @ts-expect-error no such value
  stream.stateOf<Settings>('settings', [['size', null]]);
  // @ts-expect-error no such key
  stream.stateOf<Settings>('settings', new Map([['colour', 1]]));
  stream.stateOf<Record<string, Quote>>('prices', new Map([['ACME', { bid: 1 }]]));
  const told = (change: StateChange<Settings>): number | undefined =>
    change.key === 'size' && change.kind === 'set' ? change.value : undefined;

  const unknown = stream.stateOf('any');
  // @ts-expect-error nothing is known of it
  void unknown.get('a').length;
  // @ts-expect-error a room has a name
  stream.stateOf();
  void [plain, theme, size, told];
}

export async function ends(stream: EventStream): Promise<void> {
  stream.onState((state, error) => {
    // @ts-expect-error no such state
    void (state === 'opened');
    void error?.status?.toFixed();
  });
  stream.lastEventId = undefined;
  // @ts-expect-error not for the app to set
  stream.state = 'open';
  const { reason, error } = await stream.closed;
  if (reason === 'error') void error.code;
  // @ts-expect-error there may be none
  void error.code;
}

/** Without a map: any name, and data of which nothing is known. */
export function untyped(): void {
  const stream = connect('/all');
  stream.on('anything', ({ data }) => {
    // @ts-expect-error unknown
    void data.no;
  });
  stream.on('sse-gap', ({ data }) => data.rooms.join());
  stream.subscribe(({ type, data }: StreamEvent) => void [type, data]);
}

export const all: ConnectOptions = {
  headers: async () => ({ authorization: 'Bearer x' }),
  method: 'POST',
  body: () => new URLSearchParams({ a: 'b' }),
  signal: new AbortController().signal,
  credentials: 'include',
  fetch,
  lastEventId: '1',
  persist: localStorage,
  persistKey: 'orders',
  stallTimeoutMs: false,
  maxBackoffMs: 1_000,
  maxEventBytes: false,
  redirect: 'follow',
  parse: (text, type) => `${type} ${text}`,
};
export const others: ConnectOptions[] = [
  { headers: new Headers(), body: new FormData(), persist: sessionStorage },
  { headers: [['a', 'b']], body: 'text', stallTimeoutMs: 1 },
  { body: new Uint8Array(1), fetch: async (url) => new Response(String(url)) },
  // @ts-expect-error a stream can be sent only once
  { body: new ReadableStream() },
  // @ts-expect-error a header is a text
  { headers: { a: 1 } },
  // @ts-expect-error true says nothing
  { stallTimeoutMs: true },
  // @ts-expect-error an answer that redirects is no stream
  { redirect: 'manual' },
  // @ts-expect-error a misspelt option
  { lastEventID: '1' },
  // @ts-expect-error it cannot be written to
  { persist: { getItem: () => null } },
];
