// With TanStack Query as it is.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { type ServerResponse } from 'node:http';
import { sharedStream, updateQueries, type SharedStream } from 'nestjs-eventstream/shared';
import { until } from '../support/until.js';
import { answer, streamOf } from './support.js';

interface Events {
  created: { no: number };
  changed: { no: number };
}

/** Each fetch waits until the test answers it. */
let fetches: ((value: string) => void)[] = [];
let client: QueryClient;
let response: ServerResponse;
let stream: SharedStream<Events>;
let offs: (() => void)[] = [];

beforeEach(async () => {
  fetches = [];
  client = new QueryClient();
  const { url } = await answer((opened) => {
    streamOf('id: 1\n\n')(opened);
    response = opened;
  });
  stream = sharedStream<Events>(url);
});
afterEach(() => {
  for (const off of offs.splice(0)) off();
  client.clear();
});

/** A component that uses the query; returns what it shows. */
function use(...queryKey: unknown[]): () => string | undefined {
  const observer = new QueryObserver<string>(client, {
    queryKey,
    staleTime: Infinity,
    queryFn: () => new Promise((resolve) => fetches.push(resolve)),
  });
  offs.push(observer.subscribe(() => {}));
  return () => observer.getCurrentResult().data;
}
const asked = (count: number): Promise<void> =>
  until(`${count} fetches`, () => fetches.length === count);
const emit = (type: string, no = 1): unknown =>
  response.write(`event: ${type}\ndata: {"no":${no}}\nid: ${no}\n\n`);
/** Until the listeners have got all that was emitted before. */
const passed = async (): Promise<void> => {
  let isPassed = false;
  const off = stream.on('sse-error', () => (isPassed = true));
  response.write('event: sse-error\ndata: {}\n\n');
  await until('it has passed', () => isPassed);
  off();
};
const opened = (): Promise<void> =>
  until('the cursor', () => stream.getSnapshot().state === 'open' && stream.lastEventId === '1');

it('fetches once more when the stream opens, and after each event', async () => {
  const shown = use('orders', 'all');
  offs.push(updateQueries(client, stream, ['orders']));
  await asked(1);
  await opened();
  // It may have been answered before the stream opened.
  fetches[0]!('a');
  await asked(2);
  fetches[1]!('b');
  await until('b', () => shown() === 'b');
  emit('created');
  await asked(3);
  fetches[2]!('c');
  await until('c', () => shown() === 'c');
  expect(fetches).toHaveLength(3);
});

it('makes one fetch of many events, which begins after the last of them', async () => {
  client.setQueryData(['orders'], 'a');
  const shown = use('orders');
  offs.push(updateQueries(client, stream, ['orders']));
  await opened();
  await asked(1);
  fetches[0]!('b');
  await until('b', () => shown() === 'b');
  for (let no = 1; no <= 20; no++) emit('created', no);
  await passed();
  expect(fetches).toHaveLength(2);
  fetches[1]!('old');
  await asked(3);
  fetches[2]!('new');
  await until('new', () => shown() === 'new');
  await passed();
  expect(fetches).toHaveLength(3);
});

it('lets a function set data, and fetches if an answer under way would replace them', async () => {
  client.setQueryData(['orders', 1], 'a');
  const shown = use('orders', 1);
  const on = {
    created: true,
    changed: ({ data }: { data: { no: number } }) =>
      client.setQueryData(['orders', data.no], 'set'),
  } as const;
  offs.push(updateQueries(client, stream, ['orders'], on));
  await opened();
  await asked(1);
  emit('changed');
  await until('it is set', () => shown() === 'set');
  fetches[0]!('older');
  await asked(2);
  fetches[1]!('b');
  await until('b', () => shown() === 'b');
  emit('changed');
  emit('constructor');
  await passed();
  expect(shown()).toBe('set');
  expect(fetches).toHaveLength(2);
  emit('sse-gap');
  await asked(3);
});

it('fetches at its start if the stream is open, and not if a cursor says that nothing was missed', async () => {
  offs.push(stream.subscribe(() => {}));
  await opened();
  for (const key of ['orders', 'others']) {
    client.setQueryData([key], 'a');
    use(key);
  }
  const off = updateQueries(client, stream, ['orders']);
  await asked(1);
  fetches[0]!('b');
  off();
  emit('created');
  await passed();
  expect(fetches).toHaveLength(1);

  const { url } = await answer(streamOf('id: 2\n\n'));
  const resumed = sharedStream<Events>(url, { lastEventId: '1' });
  offs.push(updateQueries(client, resumed, ['orders']));
  await until('it is open', () => resumed.getSnapshot().state === 'open');
  expect(fetches).toHaveLength(1);
});
