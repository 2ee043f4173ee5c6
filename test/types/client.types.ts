import type { Broadcaster } from 'nestjs-eventstream';
import {
  connect,
  type ConnectOptions,
  type EventStream,
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
  // @ts-expect-error no such event of the library
  stream.on('sse-open', () => {});
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
