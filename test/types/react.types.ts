import { QueryClient } from '@tanstack/react-query';
import type { QueryClient as CoreClient } from '@tanstack/query-core';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { sseContract } from 'nestjs-eventstream/contract';
import { useEvents, usePresence, useStream, useStreamState } from 'nestjs-eventstream/react';
import { sharedStream, updateQueries, type SharedStream } from 'nestjs-eventstream/shared';
import { useReducer } from 'react';
import { z } from 'zod';

interface OrderEvents {
  created: { no: number };
  cleared: null;
}

const orders = sseContract({
  path: 'orders/:customer/events',
  events: { created: z.object({ at: z.date(), no: z.number() }) },
});
const all = sseContract({ path: 'all', events: { created: z.number() } });

export function useOfUrl(): void {
  const { stream, state, error } = useStream<OrderEvents>('/orders', {
    headers: () => ({}),
    lastEventId: '1',
  });
  const isOpen: boolean = state === 'open';
  void [isOpen, error?.status];
  // @ts-expect-error no such state
  void (state === 'opened');
  // @ts-expect-error a shared stream is a GET request
  useStream('/orders', { method: 'POST' });
  // @ts-expect-error it closes with its last reader
  useStream('/orders', { signal: new AbortController().signal });
  // @ts-expect-error a misspelt option
  useStream('/orders', { lastEventID: '1' });

  useEvents(stream, 'created', ({ data }) => data.no.toFixed());
  useEvents(stream, 'sse-gap', ({ data }) => data.rooms.join());
  // @ts-expect-error no such event
  useEvents(stream, 'deleted', () => {});
  // @ts-expect-error the data of another event
  useEvents(stream, 'created', ({ data }) => data.toUpperCase());
  useEvents(stream, (event) => {
    if (event.type === 'created') event.data.no.toFixed();
    // @ts-expect-error the type is not known here
    void event.data.no;
  });
  const [, dispatch] = useReducer((no: number, event: StreamEvent<OrderEvents>) => {
    return event.type === 'created' ? event.data.no : no;
  }, 0);
  useEvents(stream, dispatch);
}

export function useOfContract(): void {
  const { stream } = useStream(orders, { params: { customer: 'c7' } });
  useEvents(stream, 'created', ({ data }) => data.at.toUpperCase());
  // @ts-expect-error no such event
  useEvents(stream, 'deleted', () => {});
  const validated = useStream(orders, { params: { customer: 'c7' }, validate: true });
  useEvents(validated.stream, 'created', ({ data }) => data.at.getTime());
  useEvents(useStream(all).stream, 'created', ({ data }) => data.toFixed());
  // @ts-expect-error the path has a parameter
  useStream(orders);
  // @ts-expect-error the path has no such parameter
  useStream(orders, { params: { id: '1' } });
  // @ts-expect-error a shared stream is a GET request
  useStream(orders, { params: { customer: 'c7' }, body: 'a' });
}

export function useRooms(stream: SharedStream<OrderEvents>): void {
  const prices = useStreamState<Record<string, { bid: number }>>(stream, 'prices');
  // @ts-expect-error there may be none
  void prices.get('ACME').bid;
  // @ts-expect-error only the server changes it
  prices.set('ACME', { bid: 1 });
  for (const [key, { bid }] of prices) void [key.length, bid];
  const settings = useStreamState<{ theme: 'dark' | 'light'; size: number }>(stream, 'settings');
  const size: number | undefined = settings.get('size');
  // @ts-expect-error no such key
  settings.get('colour');
  const members = usePresence<{ name: string }>(stream, 'lobby');
  const names: string[] = members.map(({ data }) => data.name);
  // @ts-expect-error nothing is known of it
  void usePresence(stream, 'lobby')[0]?.data.name;
  void [size, names];
}

export function outsideOfReact(client: QueryClient, core: CoreClient): void {
  const stream: SharedStream<OrderEvents> = sharedStream<OrderEvents>('/orders');
  stream.on('created', ({ data }) => data.no);
  // @ts-expect-error no such event
  stream.on('deleted', () => {});
  sharedStream(orders, { params: { customer: 'c7' } }).on('created', ({ data }) => data.at.length);
  // @ts-expect-error the path has a parameter
  sharedStream(orders);
  updateQueries(core, stream, ['orders']);
  updateQueries(client, stream, ['orders'], {
    created: ({ data }) => client.setQueryData(['orders', data.no], data),
    cleared: true,
    'sse-gap': ({ data }) => data.rooms,
  });
  // @ts-expect-error no such event
  updateQueries(client, stream, ['orders'], { deleted: true });
  // @ts-expect-error without it, nothing happens
  updateQueries(client, stream, ['orders'], { created: false });
  // @ts-expect-error a key is an array
  updateQueries(client, stream, 'orders');
  // @ts-expect-error no client
  updateQueries({}, stream, ['orders']);
}
