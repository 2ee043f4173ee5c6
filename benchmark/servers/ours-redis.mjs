// This library in a Nest app on Express with its log on Redis, and what the benchmarks ask such an
// app for.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Inject, Logger, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { Broadcaster, SseConnections, SseModule, SseStream } from 'nestjs-eventstream';
import { redisEventLog } from 'nestjs-eventstream/redis';
import { decorate } from './decorate.mjs';

const now = () => performance.timeOrigin + performance.now();

export async function start({ url, prefix, isRecording = false, isQuiet = false, module = {} }) {
  class EventsController {
    constructor(broadcaster) {
      this.broadcaster = broadcaster;
    }
    events(room = 'all') {
      return this.broadcaster.stream(room);
    }
  }
  Inject(Broadcaster)(EventsController, undefined, 0);
  decorate(EventsController, 'events', [SseStream('events')], [Query('room')]);
  Controller()(EventsController);

  const scripts = [];
  const log = redisEventLog({
    prefix,
    ...(isRecording ? { client: recording(url, scripts) } : { url }),
  });
  class AppModule {}
  Module({
    imports: [SseModule.forRoot({ ...module, log })],
    controllers: [EventsController],
  })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  // Thousands of publishes that are tried again would each be told.
  if (isQuiet) Logger.overrideLogger(['error']);
  await app.listen(0, '127.0.0.1');
  const broadcaster = app.get(Broadcaster);
  const connections = app.get(SseConnections);
  const ends = [];
  connections.closed$.subscribe(({ reason }) => {
    if (ends.length < 10) ends.push({ reason, at: now() });
  });

  let trying;
  return {
    port: app.getHttpServer().address().port,
    publish: (room, data) => void broadcaster.to(room).emit('n', data),
    position: () => broadcaster.position(),
    open: () => connections.count,
    ends: () => ends,

    /** Of the last script: what is sent as EVALSHA. */
    script: () => scripts.at(-1),

    /**
     * `events` to the rooms in turn, `window` of them on their way at a time; answers how long they
     * took.
     */
    async publishAwaited({ events, window, rooms = ['all'], data = note }) {
      let next = 0;
      const work = async () => {
        while (next < events) {
          const n = next++;
          await broadcaster.to(rooms[n % rooms.length]).emit('n', data);
        }
      };
      const from = performance.now();
      await Promise.all(Array.from({ length: window }, work));
      return performance.now() - from;
    },

    head: () => broadcaster.delivery.head,

    /**
     * When everything up to this position was handed to the readers, or nothing more came for ten
     * seconds.
     */
    async until(position) {
      let [last, since] = [0, now()];
      for (;;) {
        const { position: at } = broadcaster.delivery.head;
        if (at >= position) return now();
        if (at !== last) [last, since] = [at, now()];
        if (now() - since > 10_000)
          throw new Error(`stuck at ${at}, ${position - at} before the end`);
        await sleep(1);
      }
    },

    /** From now on so many events per second, each tried again until it is accepted. */
    beginTrying({ perSecond, rooms }) {
      const events = [];
      const from = now();
      const attempt = async (event, n) => {
        for (;;) {
          event.attempts++;
          try {
            const key = `event ${n}`;
            await broadcaster.to(rooms[n % rooms.length]).emit('n', { n, note }, { key });
            event.acceptedAt = now();
            return;
          } catch {
            await sleep(50 + 100 * Math.random());
          }
        }
      };
      const timer = setInterval(() => {
        while (events.length < ((now() - from) / 1000) * perSecond) {
          const event = { at: now(), attempts: 0 };
          event.over = attempt(event, events.length);
          events.push(event);
        }
      }, 5);
      trying = { events, timer };
    },

    /** No more of them; answers when each was due and when it was accepted. */
    async endTrying() {
      clearInterval(trying.timer);
      await Promise.all(trying.events.map(({ over }) => over));
      return trying.events.map(({ at, acceptedAt, attempts }) => ({ at, acceptedAt, attempts }));
    },
  };
}

const note = { note: `~${'x'.repeat(85)}` };

/** A client whose copies note the scripts that they send. */
function recording(url, scripts) {
  const client = new Redis(url, { lazyConnect: true });
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (...options) => {
    const copy = duplicate(...options);
    const evalsha = copy.evalsha.bind(copy);
    copy.evalsha = (...args) => {
      scripts.push(args);
      if (scripts.length > 10) scripts.shift();
      return evalsha(...args);
    };
    return copy;
  };
  return client;
}
