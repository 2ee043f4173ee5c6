// An app with something to see in its inspector: a shop with forty clients, one of which reads
// nothing. PORT chooses the port; the address of its inspector is printed.
import 'reflect-metadata';
import { get } from 'node:http';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Broadcaster,
  Connection,
  getBroadcasterToken,
  SseConnections,
  SseModule,
  SseStream,
} from 'nestjs-eventstream';
import { SseInspectorModule } from 'nestjs-eventstream/inspector';
import { map, timer } from 'rxjs';

const SYMBOLS = ['ACME', 'INIT', 'HOOL', 'UMBR'];
const USERS = ['ada', 'ben', 'carla', 'dmitri', 'emi', 'femi', 'grace', 'hugo'];
const BROWSERS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0',
];

class Shop {
  constructor(hub, chat) {
    this.hub = hub;
    this.chat = chat;
  }

  prices(connection) {
    const { symbols } = signed(connection).params;
    return this.hub.stream(symbols.split(',').map((symbol) => `prices ${symbol}`));
  }

  orders(connection) {
    return this.hub.stream(['orders', `user ${signed(connection).headers['x-user']}`]);
  }

  lobby(connection) {
    signed(connection);
    return this.chat.stream(['lobby', 'announcements']);
  }

  stock(connection) {
    signed(connection);
    return timer(500).pipe(
      map(() => {
        throw new Error('connect ECONNREFUSED 10.0.3.12:5432');
      }),
    );
  }

  reports(connection) {
    signed(connection);
    return this.hub.stream('reports');
  }
}

/** As a guard would have it. */
function signed(connection) {
  connection.data.user = connection.request.headers['x-user'];
  return connection.request;
}

Controller()(Shop);
Reflect.defineMetadata('self:paramtypes', [
  { index: 0, param: Broadcaster },
  { index: 1, param: getBroadcasterToken('chat') },
], Shop); // prettier-ignore
const ROUTES = {
  prices: ['prices/:symbols'],
  orders: ['orders'],
  lobby: ['chat/lobby'],
  stock: ['stock'],
  reports: [
    'reports/export',
    { backpressure: { maxBufferedBytes: 300 << 10, overflow: 'drop-oldest' } },
  ],
};
for (const [name, [path, options]] of Object.entries(ROUTES)) {
  Connection()(Shop.prototype, name, 0);
  const descriptor = Object.getOwnPropertyDescriptor(Shop.prototype, name);
  SseStream(path, options)(Shop.prototype, name, descriptor);
  Object.defineProperty(Shop.prototype, name, descriptor);
}

class AppModule {}
Module({
  imports: [
    SseModule.forRoot({ backpressure: { stallTimeoutMs: 600_000 } }),
    SseModule.forFeature([{ name: 'chat' }]),
    SseInspectorModule.forRoot({ guard: { canActivate: () => true } }),
  ],
  controllers: [Shop],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
app.set('trust proxy', true);
await app.listen(Number(process.env.PORT ?? 0), 'localhost');
const { port } = app.getHttpServer().address();

let clients = 0;
const symbolsOf = (n) => SYMBOLS.slice(n % 3, (n % 3) + 1 + (n % 2)).join(',');
for (let n = 0; n < 20; n++) open(`/prices/${symbolsOf(n)}`);
for (let n = 0; n < 14; n++) open('/orders');
for (let n = 0; n < 7; n++) open('/chat/lobby');
// Reads nothing, so that its events wait for it.
open('/reports/export', (response) => response.pause());
console.log(`http://localhost:${port}/sse-inspector`);

const hub = app.get(Broadcaster);
const chat = app.get(getBroadcasterToken('chat'));
let turn = 0;
setInterval(() => {
  turn += 1;
  // Waves, as a shop has them.
  const isBusy = Math.sin(turn / 12) > -0.3;
  for (const [n, symbol] of SYMBOLS.entries()) {
    if (turn % (n + (isBusy ? 1 : 3)) === 0) {
      void hub.to(`prices ${symbol}`).emit('price', { symbol, value: 40 + (turn % 7) });
    }
  }
  if (turn % 3 === 0) void hub.to('orders').emit('changed', { no: 1_000 + turn, status: 'packed' });
  if (turn % 5 === 0) void chat.to('lobby').emit('said', { by: USERS[turn % 8], text: 'Hello' });
  if (turn % 60 === 0) void chat.to('announcements').emit('news', { text: 'New beans are in' });
  if (turn % 2 === 0) void hub.to('reports').emit('page', { rows: 'row '.repeat(8_000) });
}, 120);

// Clients leave and come. One has a last event ID of another log, one asks for what fails.
let changes = 0;
setInterval(() => {
  changes += 1;
  const connections = app.get(SseConnections);
  connections.find(({ request }) => request.url === '/orders')?.close();
  const lastEventId = changes % 5 === 1 ? { 'last-event-id': '1.AAAAAAAA.hocqx6mqcw' } : {};
  open('/orders', undefined, lastEventId);
  if (changes % 4 === 2) open('/stock');
}, 4_000);

function open(path, use = (response) => response.resume(), headers = {}) {
  clients += 1;
  const client = {
    'user-agent': BROWSERS[clients % BROWSERS.length],
    'x-forwarded-for': `203.0.113.${20 + clients}`,
    'x-user': USERS[clients % USERS.length],
  };
  get({ port, host: 'localhost', path, headers: { ...client, ...headers } }, use);
}
