import { afterEach } from '@jest/globals';
import { Controller, Query } from '@nestjs/common';
import { hubOf } from '../../lib/hub/hub.js';
import {
  Broadcaster,
  SseStream,
  type EventLogFactory,
  type SseError,
  type Gap,
} from 'nestjs-eventstream';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from './random.js';
import { serve, type TestApp } from './serve.js';
import type { TestStream } from './stream-client.js';
import { until } from './until.js';

export const FAULT_SEED = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 1e9));
export const FAULT_RUNS = Number(process.env['FAULT_RUNS'] ?? 1);

const ROOMS = ['a', 'b', 'c', 'd'];
/** A publish has to be answered within 2 s; the rest is for a busy machine. */
const PUBLISH_LIMIT_MS = 3_000;
/** Not further ahead of the slowest client than one replay carries. */
const MAX_LEAD = 700;

const worlds = new Set<FlappingWorld>();

afterEach(async () => {
  await Promise.all([...worlds].map((world) => world.stop()));
});

@Controller()
class Streams {
  constructor(readonly hub: Broadcaster) {}
  @SseStream('rooms') rooms(@Query('rooms') rooms: string) {
    return this.hub.stream(rooms.split(','));
  }
}

interface Published {
  readonly rooms: readonly string[];
  isAcknowledged: boolean;
  /** Acknowledged by a server that did not live to pass it on. */
  isLost: boolean;
  /** Tried at a server that kept it, and again at one that knew nothing of it. */
  mayDouble: boolean;
}

type Item =
  | { readonly kind: 'event'; readonly uid: number }
  | {
      readonly kind: 'gap';
      readonly rooms: readonly string[];
      readonly reason: string;
      /** How many events had been tried by then. */
      readonly at: number;
    };

export interface Findings {
  /** Neither given nor told, before the room's next event. */
  readonly missed: readonly string[];
  readonly doubled: readonly string[];
  readonly inverted: readonly string[];
  /** Streams that the library has ended. */
  readonly ended: readonly string[];
  /** Publishes that took longer than 2 s, or failed otherwise than with `SSE_LOG_UNAVAILABLE`. */
  readonly wronglyRefused: readonly string[];
  /** Why gaps were told. */
  readonly gaps: readonly string[];
}

/** As it should be. */
export const EXACT: Findings = {
  missed: [],
  doubled: [],
  inverted: [],
  ended: [],
  wronglyRefused: [],
  gaps: [],
};

/**
 * Several apps on one log, a publisher that tries each event again with its key until it is
 * accepted, and clients: two stay, the others drop and come back to any app with their last event
 * ID.
 */
export class FlappingWorld {
  readonly random = new Random(FAULT_SEED);
  readonly published: Published[] = [];
  readonly refusals: { readonly code: string; readonly ms: number; readonly message: string }[] =
    [];
  acknowledged = 0;
  isOver = false;
  readonly ended: string[] = [];
  private readonly positions: number[] = [];
  private isPublishing = false;
  private publisher: Promise<void> = Promise.resolve();
  private clients: Client[] = [];
  private runs: Promise<void>[] = [];

  private publishingApp: TestApp;

  private constructor(readonly apps: readonly TestApp[]) {
    this.publishingApp = this.random.pick(apps);
    worlds.add(this);
  }

  /** Resolves when all clients are there and events are published. */
  static async start(
    logs: readonly EventLogFactory[],
    { clients = 8 }: { clients?: number } = {},
  ): Promise<FlappingWorld> {
    const apps = await Promise.all(
      logs.map((log) =>
        serve(Streams, {
          sse: { log, retry: 1, keepAlive: { intervalMs: 50 }, history: { maxEvents: 10_000 } },
        }),
      ),
    );
    const world = new FlappingWorld(apps);
    world.clients = Array.from({ length: clients }, (_, n) => new Client(world, n));
    world.runs = world.clients.map((client) => client.run());
    await until('every client has begun', () => world.clients.every(({ cursor }) => cursor));
    world.publish();
    await world.more(5);
    return world;
  }

  hubOf(app: TestApp): Broadcaster {
    return app.nest.get(Streams).hub;
  }

  /** Of each app. */
  get troubles(): (string | undefined)[] {
    return this.apps.map((app) => hubOf(this.hubOf(app)).log.trouble);
  }

  publish(): void {
    this.isPublishing = true;
    this.publisher = this.publishAll();
  }

  /** Until the event that is under way was accepted. */
  async pause(): Promise<void> {
    this.isPublishing = false;
    await this.publisher;
  }

  /** So many more events are accepted. */
  async more(count: number): Promise<void> {
    const aim = this.acknowledged + count;
    await until(`${count} more events are accepted`, () => this.acknowledged >= aim);
  }

  /** So many more times a publish is refused. */
  async refused(count = 1): Promise<void> {
    const aim = this.refusals.length + count;
    await until(`${count} more publishes are refused`, () => this.refusals.length >= aim);
  }

  /** Every second of the clients that flap drops now. */
  drop(): void {
    for (const client of this.clients) {
      if (!client.isSteady && client.number % 2 === 1) client.drop();
    }
  }

  /** Everybody who is there has got what was acknowledged last. */
  async arrived(): Promise<void> {
    await until('all events have arrived', () =>
      this.clients.every(({ last, rooms }) => last >= this.lastOf(rooms)),
    );
  }

  /**
   * When all is well again: everybody gets the last event, comes back once more, and gets one after
   * it.
   */
  async finish(): Promise<Findings> {
    await until('no log is in trouble', () => this.troubles.every((why) => why === undefined));
    await this.pause();
    for (let n = 0; n < 2; n++) {
      await this.publishNext(ROOMS);
      await this.arrived();
      for (const client of this.clients) if (!client.isSteady) client.drop();
    }
    await this.publishNext(ROOMS);
    await this.arrived();
    await this.stop();
    return this.judge();
  }

  /** Also after a test that failed: nobody publishes or comes back. */
  async stop(): Promise<void> {
    this.isOver = true;
    this.isPublishing = false;
    for (const client of this.clients) client.drop();
    await Promise.all([this.publisher, ...this.runs]);
    worlds.delete(this);
  }

  get drops(): number {
    return this.clients.reduce((sum, { drops }) => sum + drops, 0);
  }

  get steadyItems(): readonly (readonly Item[])[] {
    return this.clients.filter(({ isSteady }) => isSteady).map(({ items }) => items);
  }

  private lastOf(rooms: readonly string[]): number {
    let last = -1;
    for (const [uid, event] of this.published.entries()) {
      if (event.isAcknowledged && !event.isLost && shares(event.rooms, rooms)) last = uid;
    }
    return last;
  }

  private async publishAll(): Promise<void> {
    while (this.isPublishing) {
      const rooms = ROOMS.filter(() => this.random.below(3) === 0);
      await this.publishNext(rooms.length > 0 ? rooms : ['a']);
      do await delay(2);
      while (
        this.isPublishing &&
        this.published.length - Math.min(...this.clients.map(({ last }) => last)) > MAX_LEAD
      );
    }
  }

  private async publishNext(rooms: readonly string[]): Promise<void> {
    const uid = this.published.length;
    const event: Published = { rooms, isAcknowledged: false, isLost: false, mayDouble: false };
    this.published.push(event);
    while (!this.isOver) {
      const began = performance.now();
      try {
        const id = await this.hubOf(this.publishingApp)
          .to(...rooms)
          .emit('n', uid, { key: `event ${uid}` });
        this.positions.push(Number.parseInt(id.split('.')[2] ?? '', 36));
        event.isAcknowledged = true;
        this.acknowledged++;
        if (this.random.below(10) === 0) this.publishingApp = this.random.pick(this.apps);
        return;
      } catch (error) {
        const { code, message } = error as SseError;
        this.refusals.push({ code, message, ms: performance.now() - began });
        this.publishingApp = this.random.pick(this.apps);
        await delay(10);
      }
    }
  }

  private judge(): Findings {
    const missed: string[] = [];
    const doubled: string[] = [];
    const inverted: string[] = [];
    const gaps = new Set<string>();
    for (const client of this.clients) {
      const got = new Set<number>();
      let last = -1;
      for (const item of client.items) {
        if (item.kind === 'gap') {
          gaps.add(item.reason);
          continue;
        }
        const { uid } = item;
        const event = this.published[uid];
        if (got.has(uid)) {
          if (!event?.mayDouble) doubled.push(`${client.name}: ${uid}`);
        } else if (uid < last) inverted.push(`${client.name}: ${uid} after ${last}`);
        got.add(uid);
        last = Math.max(last, uid);
      }
      for (const [uid, event] of this.published.entries()) {
        if (got.has(uid) || event.isLost) continue;
        for (const room of event.rooms) {
          if (client.rooms.includes(room) && !this.wasTold(client.items, uid, room)) {
            missed.push(`${client.name}: ${uid} of ${room}`);
          }
        }
      }
    }
    for (const [n, position] of this.positions.entries()) {
      const before = this.positions[n - 1] ?? 0;
      if (position <= before) inverted.push(`position ${position} after ${before}`);
    }
    const wronglyRefused = this.refusals
      .filter(({ code, ms }) => code !== 'SSE_LOG_UNAVAILABLE' || ms > PUBLISH_LIMIT_MS)
      .map(({ code, ms, message }) => `${code} after ${Math.round(ms)} ms: ${message}`);
    return { missed, doubled, inverted, ended: this.ended, wronglyRefused, gaps: [...gaps].sort() };
  }

  /** By a gap that came when the event had been tried, and before the room's next event. */
  private wasTold(items: readonly Item[], uid: number, room: string): boolean {
    for (const item of items) {
      if (item.kind === 'gap') {
        if (item.at > uid && item.rooms.includes(room)) return true;
      } else if (item.uid > uid && this.published[item.uid]?.rooms.includes(room)) {
        return false;
      }
    }
    return false;
  }
}

class Client {
  readonly items: Item[] = [];
  readonly rooms: readonly string[];
  readonly isSteady: boolean;
  cursor: string | undefined;
  /** The highest event that it has got. */
  last = -1;
  drops = 0;
  private stream: TestStream | undefined;
  private scanned = 0;
  private readTo = 0;
  private isDropping = false;

  constructor(
    private readonly world: FlappingWorld,
    readonly number: number,
  ) {
    const own = ROOMS[number % ROOMS.length];
    this.rooms = ROOMS.filter((room) => room === own || world.random.below(5) < 2);
    this.isSteady = number < world.apps.length;
  }

  get name(): string {
    return `client ${this.number} (${this.rooms.join()})`;
  }

  drop(): void {
    this.isDropping = true;
    this.stream?.close();
  }

  async run(): Promise<void> {
    const { world } = this;
    while (!world.isOver) {
      const app = this.isSteady ? world.apps[this.number]! : world.random.pick(world.apps);
      await this.visit(app);
      if (world.isOver) return;
      if (this.isSteady) world.ended.push(this.name);
      this.drops++;
      // As the reconnection time of a browser.
      await delay(5);
    }
  }

  private async visit(app: TestApp): Promise<void> {
    const headers: Record<string, string> =
      this.cursor === undefined ? {} : { 'last-event-id': this.cursor };
    const stream = app.open(`/rooms?rooms=${this.rooms.join()}`, { headers });
    this.stream = stream;
    this.scanned = 0;
    this.readTo = 0;
    this.isDropping = false;
    const enough = this.isSteady ? Infinity : 1 + this.world.random.below(80);
    const isDone = (): boolean => {
      this.scan(stream);
      return this.isDropping || stream.events.length >= enough;
    };
    await stream.until(isDone).catch(() => {});
    // Only where this client leaves: what the app ends has a reason of its own.
    if (isDone() || this.world.isOver) stream.close();
    await stream.closed;
    this.scan(stream);
  }

  /** What the client has read so far. */
  private scan(stream: TestStream): void {
    for (const { type, data } of stream.events.slice(this.scanned)) {
      if (type === 'n') this.items.push({ kind: 'event', uid: Number(data) });
      if (type === 'n') this.last = Math.max(this.last, Number(data));
      if (type === 'sse-gap') {
        this.items.push({ kind: 'gap', ...(data as Gap), at: this.world.published.length });
      }
    }
    this.scanned = stream.events.length;
    // Also from blocks without data, and only from those that are complete.
    const end = stream.text.lastIndexOf('\n\n') + 2;
    const read = stream.text.slice(this.readTo, end);
    this.readTo = Math.max(this.readTo, end);
    this.cursor = [...read.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? this.cursor;
  }
}

const shares = (some: readonly string[], others: readonly string[]): boolean =>
  some.some((room) => others.includes(room));
