import { describe, expect, it } from '@jest/globals';
import { Replays } from '../../lib/hub/replays.js';
import type { RoomEntry } from '../../lib/log/event-log.js';

type Missed = RoomEntry['event'];

const event = (position: number): Missed => ({
  epoch: 'e',
  position,
  rooms: ['a'],
  message: {},
  body: `data: ${position}\n`,
});

function replays() {
  const encoded: number[] = [];
  return {
    encoded,
    of: new Replays(({ position, body }) => {
      encoded.push(position);
      return `${body}\n`;
    }),
  };
}

const textOf = (of: Replays, ...events: Missed[]): string => of.batchOf(events).buffer.toString();

describe('the replays of a hub', () => {
  const [one, two, three] = [event(1), event(2), event(3)];

  it('have all events as one text', () => {
    const batch = replays().of.batchOf([one, two, three]);
    expect(batch.buffer.toString()).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
    expect(batch.events).toBe(3);
  });

  it('are shared by those who missed the same', () => {
    const { of, encoded } = replays();
    const batch = of.batchOf([one, two, three]);
    expect(of.batchOf([one, two, three])).toBe(batch);
    expect(batch.readers).toBe(2);
    expect(encoded).toEqual([1, 2, 3]);
  });

  it('are not those of somebody who missed other events', () => {
    const { of } = replays();
    expect(textOf(of, one, two, three)).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
    expect(textOf(of, one, two)).toBe('data: 1\n\ndata: 2\n\n');
    expect(textOf(of, two, three)).toBe('data: 2\n\ndata: 3\n\n');
    // As in another room.
    expect(textOf(of, one, event(2), three)).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
    expect(textOf(of, one, three)).toBe('data: 1\n\ndata: 3\n\n');
  });
});
