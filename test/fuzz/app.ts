// The app that is fuzzed, in a process of its own:
// `node --expose-gc --import ../support/typescript.mjs app.ts express|fastify`.
// It tells its port and where its hubs stand, and what it holds whenever it is asked.
import type { AddressInfo } from 'node:net';
import {
  Body,
  Controller,
  Module,
  Query,
  RequestMethod,
  type INestApplication,
  type LoggerService,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  Broadcaster,
  getBroadcasterToken,
  InjectBroadcaster,
  LastEventId,
  SseConnections,
  SseModule,
  SseStream,
} from 'nestjs-eventstream';
import { merge, of } from 'rxjs';
import { FORGERY, PUBLISHED_ROOMS, SECRET, SECRET_ROOM, type Ready, type State } from './world.js';

const PUBLISH_EVERY_MS = 5;

type Rooms = string | string[];

@Controller()
class Streams {
  constructor(
    private readonly hub: Broadcaster,
    @InjectBroadcaster('other') private readonly other: Broadcaster,
  ) {}

  @SseStream('rooms') rooms(@Query('room') rooms: Rooms) {
    return this.hub.stream(rooms);
  }

  @SseStream('until-gap') untilGap(@Query('room') rooms: Rooms) {
    return this.hub.stream(rooms, { onGap: 'end' });
  }

  @SseStream('state') state(@Query('room') rooms: Rooms) {
    const snapshot = async (reason: string, own: string[]) => [
      { type: 'state', data: { rooms: own, reason } },
    ];
    return this.hub.stream(rooms, { rewind: 3, snapshot });
  }

  @SseStream('both') both(@Query('room') rooms: Rooms) {
    return merge(this.hub.stream(rooms), this.other.stream(rooms));
  }

  @SseStream('echo', { onComplete: 'close' }) echo(@LastEventId() id = '') {
    return of({ type: 'echo', comment: id, data: id }, { type: 'text', data: FORGERY });
  }

  @SseStream('echo', { method: RequestMethod.POST }) echoBody(@Body() body: unknown) {
    return of({ type: 'echo', data: body ?? null });
  }

  @SseStream('rooms', { method: RequestMethod.POST }) roomsOfBody(@Body('rooms') rooms: unknown) {
    return this.hub.stream(Array.isArray(rooms) ? (rooms as string[]) : []);
  }
}

@Module({
  imports: [
    SseModule.forRoot({
      // They are how a client is missed that left while its request's body filled the socket.
      keepAlive: { intervalMs: 200 },
      history: { maxEvents: 20 },
      // What is left behind must show.
      backpressure: { stallTimeoutMs: false },
      shutdown: { timeoutMs: 600_000 },
    }),
    SseModule.forFeature([{ name: 'other', history: { maxEvents: 20 } }]),
  ],
  controllers: [Streams],
})
class AppModule {}

const logged: string[] = [];

async function start(adapter: string | undefined): Promise<void> {
  const app: INestApplication = await NestFactory.create(
    AppModule,
    adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(),
    { logger: recordingLogger() },
  );
  await app.listen(0, '127.0.0.1');
  const hubs = [undefined, 'other'].map((name) => app.get<Broadcaster>(getBroadcasterToken(name)));
  const cursors = await Promise.all(hubs.map((hub) => hub.position()));
  const publisher = setInterval(() => publish(hubs), PUBLISH_EVERY_MS);
  const connections = app.get(SseConnections);
  process.on('message', (asked) => {
    if (asked === 'state') return tell(stateOf(hubs, connections));
    clearInterval(publisher);
    // Then the process ends, if nothing else keeps it.
    void app.close().then(() => process.disconnect());
  });
  tell({ port: (app.getHttpServer().address() as AddressInfo).port, cursors } satisfies Ready);
}

let count = 0;

/** Of each event, the rooms are in the data; of the secret room's, the secret is. */
function publish(hubs: readonly Broadcaster[]): void {
  const no = count++;
  const room = PUBLISHED_ROOMS[no % PUBLISHED_ROOMS.length]!;
  const next = PUBLISHED_ROOMS[(no + 1) % PUBLISHED_ROOMS.length]!;
  for (const hub of hubs) {
    void hub.to(room).emit('tick', { rooms: [room], text: FORGERY });
    if (no % 5 === 0) void hub.to(room, next).emit('tick', { rooms: [room, next] });
    if (no % 3 === 0) void hub.to(SECRET_ROOM).emit('tick', { text: SECRET });
  }
}

function stateOf(hubs: readonly Broadcaster[], connections: SseConnections): State {
  globalThis.gc?.();
  return {
    connections: connections.count,
    rooms: hubs.flatMap((hub) => hub.rooms()),
    heapBytes: process.memoryUsage().heapUsed,
    logged,
  };
}

function recordingLogger(): LoggerService {
  const record = (message: unknown): void => {
    const text = message instanceof Error ? String(message.stack) : String(message);
    // Fastify's word for a body whose client has left.
    if (logged.length < 10 && !text.startsWith('Error: aborted')) logged.push(text);
  };
  return { log: () => {}, warn: record, error: record, fatal: record };
}

function tell(message: Ready | State): void {
  process.send?.(message);
}

await start(process.argv[2]);
