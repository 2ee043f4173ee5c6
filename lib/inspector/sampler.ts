import type { Subscription } from 'rxjs';
import type { Registry } from '../connection/registry.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { InspectorSamples } from './state.js';

const INTERVAL_MS = 1_000;
export const MAX_SAMPLES = 120;
/** Taking a sample of this many connections takes about a millisecond. */
const MAX_CONNECTIONS = 20_000;

type Name = keyof InspectorSamples;

const NAMES: readonly Name[] = ['open', 'bufferedBytes', 'delivered', 'bytes', 'opened'];

/**
 * Keeps the last two minutes, so that the plots of a page begin with them. It reads once a second
 * what each connection counts anyway: an event costs nothing.
 */
export class Sampler {
  private readonly samples = Object.fromEntries(NAMES.map((name) => [name, []])) as unknown as {
    [Key in Name]: number[];
  };
  /** What connections had got when they closed; how many opened. */
  private readonly gone = { delivered: 0, bytes: 0 };
  private opened = 0;
  private before = { at: performance.now(), delivered: 0, bytes: 0, opened: 0 };
  private waiting = 0;
  private readonly timer: NodeJS.Timeout;
  private readonly subscriptions: Subscription[];

  /**
   * @param isOwn whether a connection is the inspector's
   * @param look is shown each connection once a second
   */
  constructor(
    private readonly registry: Registry,
    private readonly isOwn: (connection: SseConnection) => boolean,
    private readonly look: (connection: SseConnection) => void,
  ) {
    this.timer = setInterval(() => this.sample(), INTERVAL_MS).unref();
    this.subscriptions = [
      registry.opened$.subscribe((connection) => (this.opened += this.isOwn(connection) ? 0 : 1)),
      registry.closed$.subscribe(({ connection }) => {
        look(connection);
        if (isOwn(connection)) return;
        this.gone.delivered += connection.sentEvents;
        this.gone.bytes += connection.sentBytes;
      }),
    ];
  }

  stop(): void {
    clearInterval(this.timer);
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  report(): InspectorSamples {
    return this.samples;
  }

  /**
   * With very many connections, a sample is not taken every second. Its figures are then spread
   * evenly over the seconds since the last one.
   */
  private sample(): void {
    this.waiting += MAX_CONNECTIONS;
    if (this.waiting < this.registry.count) return;
    this.waiting = 0;
    const now = performance.now();
    const sum = { open: 0, bufferedBytes: 0, ...this.gone };
    for (const connection of this.registry.list()) {
      this.look(connection);
      if (this.isOwn(connection)) continue;
      sum.open++;
      // Of the others nothing waits for long, and asking a socket takes 100 times as long.
      if (connection.isBlocked) sum.bufferedBytes += connection.bufferedBytes;
      sum.delivered += connection.sentEvents;
      sum.bytes += connection.sentBytes;
    }
    const seconds = Math.max(1, Math.round((now - this.before.at) / INTERVAL_MS));
    const rate = (name: 'delivered' | 'bytes' | 'opened', value: number): number =>
      Math.round(((value - this.before[name]) / seconds) * 10) / 10;
    const { open, bufferedBytes, delivered, bytes } = sum;
    this.add(seconds, {
      open,
      bufferedBytes,
      delivered: rate('delivered', delivered),
      bytes: rate('bytes', bytes),
      opened: rate('opened', this.opened),
    });
    this.before = { at: now, delivered, bytes, opened: this.opened };
  }

  private add(seconds: number, sample: Readonly<Record<Name, number>>): void {
    for (const name of NAMES) {
      const values = this.samples[name];
      for (let n = 0; n < Math.min(seconds, MAX_SAMPLES); n++) values.push(sample[name]);
      values.splice(0, values.length - MAX_SAMPLES);
    }
  }
}

/** The sums of several processes, second by second from the newest on. */
export function addedUp(all: readonly InspectorSamples[]): InspectorSamples {
  const sumOf = (name: Name): number[] => {
    const length = Math.max(0, ...all.map((samples) => samples[name].length));
    return Array.from({ length }, (_none, index) =>
      all.reduce((sum, samples) => sum + (samples[name].at(index - length) ?? 0), 0),
    );
  };
  return Object.fromEntries(
    NAMES.map((name) => [name, sumOf(name)]),
  ) as unknown as InspectorSamples;
}
