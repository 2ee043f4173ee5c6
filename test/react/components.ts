// The components that the tests of the hooks render, in Chromium and on a server.
import {
  QueryClientProvider,
  useQuery,
  useQueryClient,
  type QueryClient,
} from '@tanstack/react-query';
import { createElement, useEffect, useReducer, useState, type ReactNode } from 'react';
import type { StreamEvent } from 'nestjs-eventstream/client';
import { useEvents, usePresence, useStream, useStreamState } from 'nestjs-eventstream/react';
import { updateQueries } from 'nestjs-eventstream/shared';

interface Events {
  created: { no: number };
}

function add(shown: readonly string[], event: StreamEvent<Events>): readonly string[] {
  if (event.type === 'created') return [...shown, String(event.data.no)];
  return event.type === 'sse-gap' ? [...shown, 'gap'] : shown;
}

/** The state of the stream, and its events. */
export function Orders({ url, id }: { url: string; id: string }): ReactNode {
  const { stream, state } = useStream<Events>(url);
  const [shown, dispatch] = useReducer(add, []);
  useEvents(stream, dispatch);
  return createElement('p', { id }, `${state}: ${shown.join(' ')}`);
}

/** The number of events of one type, by a listener that knows what was rendered last. */
export function Counted({ url, id }: { url: string; id: string }): ReactNode {
  const { stream } = useStream<Events>(url);
  const [count, setCount] = useState(0);
  useEvents(stream, 'created', () => setCount(count + 1));
  return createElement('p', { id }, String(count));
}

/** A state room. */
export function Prices({ url, id }: { url: string; id: string }): ReactNode {
  const { stream } = useStream(url);
  const prices = useStreamState<Record<string, number>>(stream, 'prices');
  const text = [...prices].map(([key, value]) => `${key}=${value}`).join(' ');
  return createElement('p', { id }, text);
}

/** A roster. */
export function Lobby({ url, id }: { url: string; id: string }): ReactNode {
  const { stream } = useStream(url);
  const members = usePresence<{ name: string }>(stream, 'lobby');
  return createElement('p', { id }, members.map(({ data }) => data.name).join(' '));
}

function Queried({ url, id }: { url: string; id: string }): ReactNode {
  const { stream } = useStream<Events>(url);
  const client = useQueryClient();
  useEffect(() => updateQueries(client, stream, ['orders']), [client, stream]);
  const { data } = useQuery({
    queryKey: ['orders'],
    queryFn: async () => (await fetch('/count')).text(),
    staleTime: Infinity,
  });
  return createElement('p', { id }, data);
}

/** What a query has, which is never stale but for the events. */
export function Queries({
  client,
  ...props
}: {
  client: QueryClient;
  url: string;
  id: string;
}): ReactNode {
  return createElement(QueryClientProvider, { client, children: createElement(Queried, props) });
}
