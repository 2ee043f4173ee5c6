import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from '../../sample/02-orders/app.module.js';
import type { Connected, Order, OrdersSnapshot } from '../../sample/02-orders/events.js';
import { OrdersService } from '../../sample/02-orders/orders.service.js';
import { servePage } from '../../sample/02-orders/page.js';
import type { TestEvent } from 'nestjs-eventstream/testing';
import { streamClient, type TestStream } from '../support/stream-client.js';

describe('the orders', () => {
  let app: NestExpressApplication;
  let url: string;
  let orders: OrdersService;
  let clients: TestStream[];

  beforeEach(async () => {
    app = await NestFactory.create<NestExpressApplication>(AppModule, {
      logger: ['warn', 'error'],
    });
    servePage(app);
    await app.listen(0, 'localhost');
    url = `http://localhost:${(app.getHttpServer().address() as AddressInfo).port}`;
    clients = [];
    orders = app.get(OrdersService);
    // From here on nothing happens but what a test does.
    await orders.setOpen(false);
  });

  afterEach(async () => {
    for (const client of clients) client.close();
    await app.close();
  });

  // fault: 22
  it('serves its page and all that the page asks for, and lets it load nothing else', async () => {
    const response = await fetch(url);
    const page = await response.text();
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    // The guide and the source are links of the list of all samples, or of the repository.
    const files = links.filter((path) => !/^(https:|docs\/)/.test(path));
    expect(files).toEqual(
      expect.arrayContaining(['app.js', 'style.css', 'shared/base.css', 'sse-inspector/']),
    );
    const answers = await Promise.all(files.map((path) => fetch(`${url}/${path}`)));
    for (const answer of answers) {
      expect([answer.url, answer.status]).toEqual([answer.url, 200]);
      await answer.arrayBuffer();
    }
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "connect-src 'self'"]),
    );
    expect(policy).not.toMatch(/unsafe|\*|http/);
    expect(page).not.toMatch(/<script>|<style|\sstyle=|\son\w+=/);
  });

  it('begins with the whole list and goes on with exactly what follows', async () => {
    const before = orders.list();
    const stream = open();
    const { revision } = await connected(stream);
    const snapshot = await dataOf<OrdersSnapshot>(stream, 'orders');
    expect(snapshot).toEqual({
      reason: 'fresh',
      cursor: expect.stringMatching(/^1\.[\w-]+\.[\da-z]+$/),
      revision,
      isOpen: false,
      orders: before,
    });

    const placed = await post<Order>('/orders', { item: 'Teapot', amount: 2 });
    const packed = await post<Order>(`/orders/${placed.no}/next`);
    const shipped = await post<Order>(`/orders/${placed.no}/next`);
    await post('/shop/resume');
    await post('/shop/pause');
    expect(placed).toEqual({
      no: before[0]!.no + 1,
      item: 'Teapot',
      amount: 2,
      status: 'placed',
      revision: revision + 1,
    });
    expect(await dataOf(stream, 'created')).toEqual(placed);
    expect([packed.status, shipped.status]).toEqual(['packed', 'shipped']);
    expect(await dataOf(stream, 'changed')).toEqual(packed);
    expect(await dataOf(stream, 'changed')).toEqual(shipped);
    expect(await dataOf(stream, 'shop')).toEqual({ isOpen: true, revision: revision + 4 });
    expect(await dataOf(stream, 'shop')).toEqual({ isOpen: false, revision: revision + 5 });
  });

  it('says how many changes there were, to a page that has closed its stream', async () => {
    const { revision } = await place('Mug');
    expect(await (await fetch(`${url}/revision`)).json()).toEqual({ revision });
  });

  it('gives a client that returns what it missed and no list', async () => {
    const first = open();
    await connected(first);
    await dataOf(first, 'orders');
    const seen = await place('Seen');
    const { id: cursor } = await next(first, 'created');
    first.close();
    const missed = [await place('Missed'), await orders.advance(seen.no)];

    const second = open(cursor);
    expect(await connected(second)).toMatchObject({ revision: missed[1]!.revision });
    expect(await dataOf(second, 'created')).toEqual(missed[0]);
    expect(await dataOf(second, 'changed')).toEqual(missed[1]);
    const live = await place('Live');
    expect(await dataOf(second, 'created')).toEqual(live);
  });

  it('gives a client that returns with the cursor of its list what came after the list', async () => {
    const first = open();
    await connected(first);
    const { cursor } = await dataOf<OrdersSnapshot>(first, 'orders');
    first.close();
    const missed = await place('Missed');

    const second = open(cursor);
    await connected(second);
    expect(await dataOf(second, 'created')).toEqual(missed);
  });

  it.each([
    ['of another process', 'epoch', '1.bm9ib2R5.8zv2ah8g1o'],
    ['that says nothing', 'unknown', 'yesterday'],
  ])(
    'tells a client with a cursor %s of the gap, then gives it the list',
    async (_title, reason, cursor) => {
      const stream = open(cursor);
      await connected(stream);
      expect(await dataOf(stream, 'sse-gap')).toEqual({ rooms: ['orders'], reason });
      const snapshot = await dataOf<OrdersSnapshot>(stream, 'orders');
      expect(snapshot).toMatchObject({ reason: 'gap', orders: orders.list() });
      const live = await place('Live');
      expect(await dataOf(stream, 'created')).toEqual(live);
    },
  );

  it('cuts the connection that is named, whose client then goes on where it was', async () => {
    const [first, other] = [open(), open()];
    const { connection } = await connected(first);
    await connected(other);
    const { cursor } = await dataOf<OrdersSnapshot>(first, 'orders');
    await dataOf(other, 'orders');
    expect((await request(`/connections/${connection}/drop`)).status).toBe(204);
    await expect(first.ended).rejects.toThrow('the connection was cut');

    const missed = await place('Missed');
    expect(await dataOf(other, 'created')).toEqual(missed);
    const second = open(cursor);
    await connected(second);
    expect(await dataOf(second, 'created')).toEqual(missed);
    expect((await request(`/connections/${connection}/drop`)).status).toBe(404);
  });

  it('has something to tell by itself while the shop is open', async () => {
    const stream = open();
    await connected(stream);
    await dataOf(stream, 'orders');
    await post('/shop/resume');
    const [opened, ...changes] = await stream.take(3);
    expect(opened).toMatchObject({ type: 'shop' });
    for (const { type } of changes) expect(['created', 'changed']).toContain(type);
    const revisions = [opened!, ...changes].map(({ data }) => (data as Order).revision);
    expect(revisions).toEqual([revisions[0], revisions[0]! + 1, revisions[0]! + 2]);
  }, 15_000);

  it('forgets the oldest shipped orders, and never one that is still to do', async () => {
    const toDo = orders.list().filter(({ status }) => status !== 'shipped');
    for (let count = 0; count < 30; count++) {
      const { no } = await place('Mug');
      await orders.advance(no);
      await orders.advance(no);
    }
    expect(orders.list()).toHaveLength(24);
    expect(orders.list()).toEqual(expect.arrayContaining(toDo));
  });

  it.each([
    ['/orders', { item: '', amount: 1 }, 400, [/^item: .*>=1 characters$/]],
    ['/orders', { item: 'x'.repeat(81), amount: 1 }, 400, [/^item: .*<=80 characters$/]],
    ['/orders', { item: 'Mug', amount: 0.5 }, 400, [/^amount: .*expected int/]],
    ['/orders', { item: 'Mug', amount: 0 }, 400, [/^amount: .*>=1$/]],
    ['/orders', { item: 'Mug', amount: 100 }, 400, [/^amount: .*<=99$/]],
    ['/orders', { amount: '1' }, 400, [/^item: .*expected string/, /^amount: .*expected number/]],
    ['/orders', undefined, 400, [/expected object/]],
    ['/orders/999/next', undefined, 404, [/no order 999/]],
    ['/orders/1001/next', undefined, 409, [/Order 1001 is shipped/]],
  ])('POST %s with %j answers %d', async (path, body, status, words) => {
    const { revision } = orders;
    const response = await request(path, body);
    expect(response.status).toBe(status);
    const { message } = (await response.json()) as { message: string | string[] };
    expect([message].flat()).toEqual(words.map((text) => expect.stringMatching(text)));
    expect(orders.revision).toBe(revision);
  });

  it('takes nothing else from the body of an order', async () => {
    const placed = await post<Order>('/orders', { item: 'Mug', amount: 99, no: 1, status: 'lost' });
    expect(placed).toMatchObject({ item: 'Mug', amount: 99, status: 'placed' });
    expect(Object.keys(placed).sort()).toEqual(['amount', 'item', 'no', 'revision', 'status']);
    expect(placed.no).not.toBe(1);
  });

  function open(lastEventId?: string): TestStream {
    const headers = lastEventId === undefined ? undefined : { 'last-event-id': lastEventId };
    const client = streamClient({ url: `${url}/events`, ...(headers && { headers }) });
    clients.push(client);
    return client;
  }

  const connected = (stream: TestStream) => dataOf<Connected>(stream, 'connected');

  const place = (item: string) => orders.place({ item, amount: 1 });

  function request(path: string, body?: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(url + path, {
      method: 'POST',
      ...(body && { headers, body: JSON.stringify(body) }),
    });
  }

  async function post<T>(path: string, body?: object): Promise<T> {
    return (await (await request(path, body)).json()) as T;
  }
});

/** The next event, which has to be of this type. */
async function next(stream: TestStream, type: string): Promise<TestEvent> {
  const event = await stream.next();
  expect(event).toMatchObject({ type });
  return event;
}

async function dataOf<T>(stream: TestStream, type: string): Promise<T> {
  return (await next(stream, type)).data as T;
}
