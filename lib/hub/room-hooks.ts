import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import * as rules from '../options/rules.js';
import { RoomPattern, type RoomParams } from '../options/room-pattern.js';
import { isReserved } from '../wire/room-names.js';

/**
 * What `Broadcaster.onRoom()` calls for a room that is read. It may return a function, also as a
 * promise, that is called when nobody reads the room any more.
 * @publicApi
 */
export type RoomHook<Pattern extends string = string> = (
  room: string,
  params: RoomParams<Pattern>,
) => RoomTeardown | void | Promise<RoomTeardown | void>;

/**
 * Stops what a `RoomHook` has started.
 * @publicApi
 */
export type RoomTeardown = () => void | Promise<void>;

/**
 * The options of `Broadcaster.onRoom()`.
 * @publicApi
 */
export interface RoomHookOptions {
  /**
   * How long a room may be without readers before its teardown is called, in milliseconds. The
   * default is longer than the default reconnection time, so a page that is reloaded or reconnects
   * does not stop a source and start it again. `0`: at once.
   * @default 10_000
   */
  lingerMs?: number;
}

const DEFAULT_LINGER_MS = 10_000;

const checkOptions = rules.object({ lingerMs: rules.durationMsOrZero });

/** The rooms that somebody reads. */
interface ReadRooms {
  names(): string[];
  size(room: string): number;
}

/** What was started for a room. */
interface Started {
  teardown: RoomTeardown | undefined;
  isOver: boolean;
  timer: NodeJS.Timeout | undefined;
}

const logger = new Logger('Sse');

/** The hooks of a hub. Only hubs with a hook have this. */
export class RoomHooks {
  private readonly hooks = new Set<Hook>();
  /** Rooms that got their first reader or lost their last one, until the end of this step. */
  private changed = new Set<string>();

  constructor(private readonly rooms: ReadRooms) {}

  /**
   * Adds a hook, and returns a function that removes it.
   * @throws SseOptionsError
   */
  add<Pattern extends string>(
    pattern: Pattern,
    start: RoomHook<Pattern>,
    options: RoomHookOptions = {},
  ): () => void {
    rules.required(rules.aFunction)('onRoom()', start);
    checkOptions('onRoom()', options);
    const { lingerMs = DEFAULT_LINGER_MS } = options;
    // The parameters of a match are those that the pattern names.
    const call = (room: string, params: object) => start(room, params as RoomParams<Pattern>);
    const hook = new Hook(new RoomPattern('onRoom()', pattern), call, lingerMs, this.rooms);
    this.hooks.add(hook);
    this.check(this.rooms.names());
    return () => {
      this.hooks.delete(hook);
      void hook.stopAll();
    };
  }

  joined(rooms: readonly string[]): void {
    this.check(rooms.filter((room) => this.rooms.size(room) === 1));
  }

  left(rooms: readonly string[]): void {
    this.check(rooms.filter((room) => this.rooms.size(room) === 0));
  }

  /** Stops everything. Resolves when all teardowns are done. */
  async close(): Promise<void> {
    const all = [...this.hooks];
    this.hooks.clear();
    await Promise.all(all.map((hook) => hook.stopAll()));
  }

  /** Later, because the stream that joins has not started yet, and a hook may publish to it. */
  private check(rooms: readonly string[]): void {
    const isWaiting = this.changed.size > 0;
    for (const room of rooms) if (!isReserved(room)) this.changed.add(room);
    if (isWaiting || this.changed.size === 0) return;
    queueMicrotask(() => {
      const { changed } = this;
      this.changed = new Set();
      for (const hook of this.hooks) for (const room of changed) hook.check(room);
    });
  }
}

/** One hook, and the rooms for which it was called. */
class Hook {
  private readonly started = new Map<string, Started>();
  /** A source must not live in the async context of the request that happens to come first. */
  private readonly outside = AsyncLocalStorage.snapshot();

  constructor(
    private readonly pattern: RoomPattern,
    private readonly call: RoomHook,
    private readonly lingerMs: number,
    private readonly rooms: ReadRooms,
  ) {}

  check(room: string): void {
    const started = this.started.get(room);
    if (this.rooms.size(room) === 0) {
      if (started !== undefined) this.stopLater(room, started);
    } else if (started === undefined) {
      this.start(room);
    } else {
      clearTimeout(started.timer);
    }
  }

  private start(room: string): void {
    const params = this.pattern.match(room);
    if (params === undefined) return;
    const started: Started = { teardown: undefined, isOver: false, timer: undefined };
    this.started.set(room, started);
    void this.guarded(room, async () => {
      const teardown = await this.call(room, params);
      if (typeof teardown !== 'function') return;
      if (started.isOver) await teardown();
      else started.teardown = teardown;
    });
  }

  private stopLater(room: string, started: Started): void {
    clearTimeout(started.timer);
    if (this.lingerMs === 0) return void this.stop(room, started);
    const stop = (): void => void this.stop(room, started);
    started.timer = this.outside(() => setTimeout(stop, this.lingerMs)).unref();
  }

  private async stop(room: string, started: Started): Promise<void> {
    clearTimeout(started.timer);
    started.isOver = true;
    this.started.delete(room);
    const { teardown } = started;
    if (teardown !== undefined) await this.guarded(room, teardown);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.started].map(([room, started]) => this.stop(room, started)));
  }

  /** An error of the app's code must affect neither streams nor other hooks. */
  private async guarded(room: string, step: () => void | Promise<void>): Promise<void> {
    try {
      await this.outside(step);
    } catch (error) {
      logFailure(error, this.pattern.text, room);
    }
  }
}

/** The logger may be the app's, and may throw as well. */
function logFailure(error: unknown, pattern: string, room: string): void {
  try {
    logger.error(error, { event: 'error', onRoom: pattern, room });
  } catch {
    // Nothing is left to report it to.
  }
}
