import { monitorEventLoopDelay } from 'node:perf_hooks';
import { platform } from 'node:os';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Broadcaster, poll, SseConnections, type StateRoom } from 'nestjs-eventstream';
import type { Subscription } from 'rxjs';
import {
  KEPT,
  ROOMS,
  type EventLoopSample,
  type Room,
  type RoomState,
  type Samples,
  type StreamsSample,
  type Unavailable,
} from './events.js';
import { figuresBetween, rate } from './figures.js';
import { readMachine, type MachineReading } from './machine.js';

const INTERVAL_MS = 1_000;

/** How often the event loop's delay is taken. Node's figures include it. */
const RESOLUTION_MS = 10;

const newDelays = () => monitorEventLoopDelay({ resolution: RESOLUTION_MS });

/** What a platform may not have. */
const SOURCES: Partial<Record<Room, string>> = {
  cpu: 'CPU times',
  load: 'load average',
  network: '/proc/net/dev',
  disk: 'disk in /proc/diskstats',
};

/** By how many milliseconds a timer of the monitor came late. */
const lateness = (ns: number) => Math.max(0, Math.round((ns / 1e6 - RESOLUTION_MS) * 100) / 100);

interface Reading {
  readonly machine: MachineReading;
  readonly published: number;
  readonly delivered: number;
}

/** Reads the machine once a second and sets an entry of each room. */
@Injectable()
export class SamplerService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(SamplerService.name);
  /**
   * Two, read in turns, each over two seconds: the first delay after a reset is never recorded, and
   * with one alone that would always be the one that sending the samples causes.
   */
  private readonly delays = [newDelays(), newDelays()];
  private readonly rooms: readonly StateRoom<RoomState>[];
  private sampling: Subscription | undefined;
  private before: Reading | undefined;
  private isClosed = false;
  private turn = 0;
  private published = 0;
  private delivered = 0;

  constructor(
    private readonly broadcaster: Broadcaster,
    private readonly connections: SseConnections,
  ) {
    this.rooms = ROOMS.map((room) => broadcaster.state(room));
  }

  onApplicationBootstrap(): void {
    for (const delays of this.delays) delays.enable();
    const sample = () => this.sample().catch((error: unknown) => this.logger.error(error));
    this.sampling = poll(INTERVAL_MS, sample).subscribe();
  }

  onModuleDestroy(): void {
    this.isClosed = true;
    this.sampling?.unsubscribe();
    for (const delays of this.delays) delays.disable();
  }

  private async sample(): Promise<void> {
    const { published, delivered, before } = this;
    const now: Reading = { machine: await readMachine(), published, delivered };
    this.before = now;
    // A figure per second needs two readings. The app may have been closed during this one.
    if (before !== undefined && !this.isClosed) await this.publish(before, now);
  }

  private async publish(before: Reading, now: Reading): Promise<void> {
    const { at } = now.machine;
    const samples: Partial<Samples> = {
      ...figuresBetween(before.machine, now.machine),
      'event-loop': this.eventLoop(at),
      streams: this.streams(before, now),
    };
    this.published += ROOMS.length;
    for (const room of ROOMS) this.delivered += this.broadcaster.size(room);
    const key = String(this.turn++ % KEPT);
    const change = (room: Room, n: number) =>
      this.rooms[n]!.set(key, samples[room] ?? unavailable(room, at));
    await Promise.all(ROOMS.map(change));
  }

  private eventLoop(at: number): EventLoopSample {
    const delays = this.delays.reverse()[0]!;
    const { max } = delays;
    const [p50, p99] = [delays.percentile(50), delays.percentile(99)];
    delays.reset();
    return { p50: lateness(p50), p99: lateness(p99), max: lateness(max), at };
  }

  private streams(before: Reading, now: Reading): StreamsSample {
    const { at } = now.machine;
    const seconds = (at - before.machine.at) / 1_000;
    return {
      connections: this.connections.count,
      published: rate(before.published, now.published, seconds),
      delivered: rate(before.delivered, now.delivered, seconds),
      bufferedBytes: this.connections.list().reduce((sum, one) => sum + one.bufferedBytes, 0),
      at,
    };
  }
}

function unavailable(room: Room, at: number): Unavailable {
  return { unavailable: `There is no ${SOURCES[room]} on this machine (${platform()}).`, at };
}
