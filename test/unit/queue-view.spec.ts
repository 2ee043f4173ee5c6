// The view of a queue's events, in every order in which reads and live events can come.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { StreamEntry } from '../../lib/bullmq/queue-event.js';
import { QueueView } from '../../lib/bullmq/queue-view.js';
import {
  formatStreamId,
  isAfter,
  parseStreamId,
  type StreamId,
} from '../../lib/bullmq/stream-id.js';
import { parseJobCursor, formatJobCursor } from '../../lib/bullmq/job-cursor.js';

const RUNS = Number(process.env['FC_RUNS'] ?? 500);

type Told = { readonly id: string } | 'lost';

/** A stream, and a `QueueEvents` that begins to listen some time. */
class World {
  readonly source = Object.assign(new EventEmitter(), { name: 'q', toKey: (type: string) => type });
  readonly told: Told[] = [];
  readonly written: string[] = [];
  readonly view: QueueView;
  private entries: StreamEntry[] = [];
  private listened: number | undefined;
  private readonly replies: (() => void)[] = [];
  private seq = 0;

  constructor() {
    const queue = { events: (after: StreamId, count: number) => this.read(after, count) };
    this.view = new QueueView(queue, this.source, 1_000, {
      event: ({ id }) => this.told.push({ id: formatStreamId(id) }),
      lost: () => this.told.push('lost'),
      cleaned: () => {},
    });
  }

  /** The reply is of this moment, and arrives later. */
  private read(after: StreamId, count: number): Promise<StreamEntry[]> {
    const page = this.entries.filter(([id]) => isAfter(parseStreamId(id)!, after)).slice(0, count);
    return new Promise((resolve) => this.replies.push(() => resolve(page)));
  }

  write(): void {
    const id = `1-${++this.seq}`;
    this.written.push(id);
    this.entries.push([id, ['event', 'progress', 'jobId', 'j', 'data', String(this.seq)]]);
  }

  /** `QueueEvents` begins after what is there. */
  listen(): void {
    this.listened ??= this.seq;
  }

  /** `QueueEvents` gives the next event that is still there. */
  deliver(): void {
    const { listened } = this;
    if (listened === undefined) return;
    const next = this.entries.find(([id]) => parseStreamId(id)!.seq > listened);
    if (next === undefined) return;
    const [id] = next;
    this.listened = parseStreamId(id)!.seq;
    this.source.emit('progress', { jobId: 'j', data: this.listened }, id);
  }

  /** Its connection breaks: it goes on where it was. */
  break(): void {
    this.source.emit('ioredis:close');
  }

  /** Many later events have come. */
  trim(left = 1): void {
    this.entries = this.entries.slice(-left);
  }

  async reply(): Promise<void> {
    this.replies.shift()?.();
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }

  /** Everything comes to rest, and somebody reads. */
  async settle(): Promise<void> {
    const reading = this.view.catchUp();
    const state = { isOver: false };
    void reading.then(() => (state.isOver = true));
    while (!state.isOver) await this.reply();
    for (let turn = 0; turn < 20; turn++) await this.reply();
  }
}

/** Events that are missing, or out of order, although nothing was told. */
function missed({ told, written }: World): string[] {
  const found: string[] = [];
  let seq = 0;
  let isTold = false;
  for (const each of told) {
    if (each === 'lost') isTold = true;
    else {
      const { seq: next } = parseStreamId(each.id)!;
      if (next <= seq || (next > seq + 1 && !isTold)) found.push(`${seq} → ${next}`);
      isTold = false;
      seq = next;
    }
  }
  if (seq < written.length && !isTold) found.push(`after ${seq}`);
  return found;
}

const step = fc.constantFrom('write', 'listen', 'deliver', 'deliver', 'reply', 'reply', 'follow');

async function run(world: World, steps: readonly string[]): Promise<void> {
  for (const each of steps) {
    if (each === 'write') world.write();
    else if (each === 'listen') world.listen();
    else if (each === 'deliver') world.deliver();
    else if (each === 'follow') void world.view.catchUp();
    else if (each === 'break') world.break();
    else if (each === 'break and trim') {
      world.break();
      world.trim();
    } else await world.reply();
  }
  await world.settle();
}

describe("the view of a queue's events", () => {
  it('has each event once and in order, whenever QueueEvents begins', async () => {
    const steps = fc.array(fc.oneof(step, fc.constant('break')), { maxLength: 60, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, async (each) => {
        const world = new World();
        await run(world, each);
        expect(world.told).toEqual(world.written.map((id) => ({ id })));
      }),
      { numRuns: RUNS },
    );
  });

  it('tells that events are missing, or has them', async () => {
    const steps = fc.array(fc.oneof(step, fc.constantFrom('break', 'break and trim')), {
      maxLength: 60,
      size: 'max',
    });
    await fc.assert(
      fc.asyncProperty(steps, async (each) => {
        const world = new World();
        world.write();
        void world.view.catchUp();
        await world.reply();
        await run(world, each);
        expect(missed(world)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  it('tells that events are missing after a stall', async () => {
    const world = new World();
    world.listen();
    world.write();
    world.deliver();
    await world.settle();
    world.write();
    world.deliver();
    for (let count = 0; count < 300; count++) world.write();
    world.trim(200);
    for (let count = 0; count < 200; count++) world.deliver();
    await world.settle();
    expect(world.told.slice(0, 2)).toEqual([{ id: '1-1' }, { id: '1-2' }]);
    expect(world.told).toContain('lost');
    expect(world.told.slice(-2)).toContainEqual({ id: '1-302' });
  });

  it('keeps as many events as it may, and knows from where on', async () => {
    const world = new World();
    for (let count = 0; count < 1_200; count++) world.write();
    await world.settle();
    const history = world.view.historyOf('j')!;
    expect(history.events).toHaveLength(1_000);
    expect(formatStreamId(history.since)).toBe('1-200');
    world.view.close();
    expect(world.view.historyOf('j')).toBeUndefined();
    expect(world.source.eventNames()).toEqual([]);
  });
});

describe('the cursor of a job', () => {
  it('is read as it was written', () => {
    const number = fc.nat({ max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(number, number, number, number, (added, ms, seq, lines) => {
        const cursor = { added, at: { ms, seq }, lines };
        expect(parseJobCursor(formatJobCursor(cursor))).toEqual(cursor);
      }),
    );
  });

  it.each([
    '',
    'job.1.2.3',
    'job.a.b.c.d.e',
    'job.A.1.1.1',
    '1.abc.5',
    `job.${'z'.repeat(50)}.1.1.1`,
  ])('is not %j', (text) => {
    expect(parseJobCursor(text)).toBeUndefined();
  });
});
