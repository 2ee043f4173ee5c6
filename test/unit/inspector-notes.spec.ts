import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SSE_DEFAULTS, type SseConnection } from 'nestjs-eventstream';
import { diagnostics as ofConnections } from '../../lib/connection/diagnostics.js';
import { diagnostics as ofHubs } from '../../lib/hub/diagnostics.js';
import { Hub } from '../../lib/hub/hub.js';
import { NoteKeeper } from '../../lib/inspector/note-keeper.js';
import { MemoryEventLog } from '../../lib/log/event-log-memory.js';
import { diagnostics as ofLogs } from '../../lib/log/diagnostics.js';
import { openRegistry } from '../support/registry.js';

const connections = openRegistry();
const diagnostics = { ...ofConnections, ...ofHubs, ...ofLogs };
const broadcaster = new Hub(new MemoryEventLog(SSE_DEFAULTS.history));
const connectionWith = (id: string, droppedEvents: number) =>
  ({ id, droppedEvents }) as SseConnection;
const connection = connectionWith('one', 0);
const own = connectionWith('own', 9);

describe('what the inspector finds notable', () => {
  let notes: NoteKeeper;
  beforeEach(() => {
    notes = new NoteKeeper('p1', (one) => one === own);
  });
  afterEach(() => notes.stop());

  const lines = () =>
    notes.report().list.map(({ kind, text, connection: id, times }) => [kind, text, id, times]);

  it('is there without a page, the newest first, and counts what happens again', () => {
    diagnostics.stall.publish({ connection, bufferedBytes: 70 });
    diagnostics.error.publish({ broadcaster, error: new Error('no'), connection: undefined });
    diagnostics.log.publish({ hub: 'chat', trouble: 'Redis is away' });
    diagnostics.log.publish({ hub: '', trouble: undefined });
    diagnostics.gap.publish({
      connection,
      rooms: ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
      reason: 'epoch',
    });
    for (const one of [own, connection]) {
      diagnostics.gap.publish({ connection: one, rooms: ['a'], reason: 'trimmed' });
    }
    for (let n = 0; n < 2; n++) {
      diagnostics.refuse.publish({ connections, reason: 'rate', request: { headers: {} } });
    }
    expect(lines()).toEqual([
      ['refuse', 'rate: unknown address', null, 2],
      ['gap', 'trimmed: a', 'one', 1],
      ['gap', 'epoch: a, b, c, d, e and 2 more', 'one', 1],
      ['log', 'default hub: events arrive again', null, 1],
      ['log', 'hub chat: Redis is away', null, 1],
      ['error', 'no', null, 1],
      ['stall', 'the client read none of 70 bytes, so its socket is destroyed', 'one', 1],
    ]);
    expect(new Set(notes.report().list.map(({ process }) => process))).toEqual(new Set(['p1']));
  });

  it('has the drops that a connection has counted since the last look', () => {
    const slow = { id: 'slow', droppedEvents: 0 };
    const look = () => notes.look(slow as unknown as SseConnection);
    look();
    expect(lines()).toEqual([]);
    slow.droppedEvents = 3;
    look();
    look();
    slow.droppedEvents = 7;
    look();
    notes.look(own);
    const text = 'events were dropped, because the client reads too slowly';
    expect(lines()).toEqual([['drop', text, 'slow', 7]]);
  });

  it('is bounded', () => {
    for (let n = 0; n < 200; n++) {
      const error = new Error(`error ${n} ${'x'.repeat(300)}`);
      diagnostics.error.publish({ broadcaster: undefined, error, connection });
    }
    const { list } = notes.report();
    expect(list).toHaveLength(50);
    expect(list[0]?.text).toHaveLength(200);
  });
});
