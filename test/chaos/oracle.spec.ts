import { beforeEach, describe, expect, it } from '@jest/globals';
import { Oracle } from './oracle.mjs';

/** A position as its cursor; the letter is the epoch. */
const cursor = (epoch: string, position: number): string => `1.${epoch}.${position.toString(36)}`;

describe('the oracle', () => {
  let oracle: Oracle;

  beforeEach(() => {
    oracle = new Oracle();
    oracle.client('one', ['a', 'b']);
    oracle.cursor('one', 0);
  });

  it('is content with an event that came once', () => {
    publish(1, ['a']);
    receive(1);
    expect(oracle.judge()).toMatchObject({ acknowledged: 1, due: 1, delivered: 1, told: 0 });
    expect(faults()).toEqual({});
  });

  it('finds an event that never came', () => {
    publish(1, ['a']);
    expect(faults()).toEqual({ lost: [1] });
  });

  it('finds an event that came twice', () => {
    publish(1, ['a']);
    receive(1);
    receive(1);
    expect(faults()).toEqual({ doubled: [1] });
  });

  it('finds an event that came twice although nobody was told that it was accepted', () => {
    oracle.publishing({ uid: 1, rooms: ['a'], size: 1, at: 10 });
    receive(1);
    receive(1);
    expect(faults()).toEqual({ doubled: [1] });
  });

  it('finds an event that came after a later one', () => {
    publish(1, ['a']);
    publish(2, ['b']);
    receive(2);
    receive(1);
    expect(faults()).toEqual({ disordered: [1] });
  });

  it('does not compare positions of two epochs', () => {
    publish(2, ['a']);
    publish(1, ['a'], { epoch: 'y' });
    receive(2);
    receive(1, { epoch: 'y' });
    expect(faults()).toEqual({});
  });

  it('takes a gap that names the room before its next event for what it tells', () => {
    publish(1, ['a']);
    publish(2, ['a']);
    oracle.gap('one', { rooms: ['a'], at: 30 });
    receive(2);
    expect(oracle.judge()).toMatchObject({ due: 2, delivered: 1, told: 1 });
    expect(faults()).toEqual({});
  });

  it('finds an event that is told after a later one of its room', () => {
    publish(1, ['a']);
    publish(2, ['a']);
    receive(2);
    oracle.gap('one', { rooms: ['a'], at: 60 });
    expect(faults()).toEqual({ lost: [1] });
  });

  it('finds an event that is told after one of another epoch, sent when it was accepted', () => {
    publish(1, ['a']);
    publish(2, ['a'], { epoch: 'y' });
    receive(2, { epoch: 'y' });
    oracle.gap('one', { rooms: ['a'], at: 60 });
    expect(faults()).toEqual({ lost: [1] });
  });

  it('lets a gap be told after a later event of another room', () => {
    publish(1, ['a']);
    publish(2, ['b']);
    receive(2);
    oracle.gap('one', { rooms: ['a'], at: 60 });
    expect(faults()).toEqual({});
  });

  it('finds an event that only a gap of another room, or of before, could have told', () => {
    oracle.gap('one', { rooms: ['a'], at: 5 });
    publish(1, ['a']);
    oracle.gap('one', { rooms: ['b'], at: 30 });
    expect(faults()).toEqual({ lost: [1] });
  });

  it('wants every room of an event told that the client reads', () => {
    publish(1, ['a', 'b', 'c']);
    oracle.gap('one', { rooms: ['a'], at: 30 });
    expect(faults()).toEqual({ lost: [1] });
    oracle.gap('one', { rooms: ['b'], at: 30 });
    expect(faults()).toEqual({});
  });

  it('finds an event of a room that the client does not read', () => {
    publish(1, ['c']);
    receive(1);
    expect(faults()).toEqual({ foreign: [1] });
  });

  it('finds an event that nobody published, one of another length and a damaged one', () => {
    publish(1, ['a']);
    receive(7);
    oracle.received('one', { uid: 1, size: 2, id: cursor('x', 1), at: 50 });
    oracle.received('one', { uid: 1, size: 1, id: cursor('x', 1), isIntact: false, at: 50 });
    expect(faults()).toEqual({ foreign: [7, 1, 1], lost: [1] });
  });

  it('owes nothing of before the first cursor, of other rooms, and of what was not accepted', () => {
    oracle.client('two', ['a']);
    publish(1, ['a']);
    oracle.cursor('two', 15);
    publish(2, ['c']);
    oracle.publishing({ uid: 3, rooms: ['a'], size: 1, at: 30 });
    receive(1);
    expect(oracle.judge()).toMatchObject({ published: 3, acknowledged: 2, due: 1 });
    expect(faults()).toEqual({});
  });

  it('lets ephemeral events be lost, never doubled', () => {
    for (const uid of [1, 2]) {
      oracle.publishing({ uid, rooms: ['a'], size: 1, ephemeral: true, at: 10 });
      oracle.acknowledged(uid, undefined, 20);
    }
    oracle.received('one', { uid: 2, size: 1, at: 30 });
    expect(faults()).toEqual({});
    oracle.received('one', { uid: 2, size: 1, at: 31 });
    expect(faults()).toEqual({ doubled: [2] });
  });

  it('lets an ephemeral event come once more on another connection, and no other', () => {
    oracle.publishing({ uid: 1, rooms: ['a'], size: 1, ephemeral: true, at: 10 });
    oracle.publishing({ uid: 2, rooms: ['a'], size: 1, at: 10 });
    oracle.received('one', { uid: 1, size: 1, at: 30 });
    receive(2);
    oracle.returned('one');
    oracle.received('one', { uid: 1, size: 1, at: 31 });
    receive(2);
    expect(faults()).toEqual({ doubled: [2] });
    expect(oracle.judge().ephemeralAgain).toBe(1);
  });

  it('excuses a second one only where the log lost the key between the attempts', () => {
    for (const uid of [1, 2]) {
      oracle.publishing({ uid, rooms: ['a'], size: 1, key: `key ${uid}`, at: 10 * uid });
      receive(uid);
      oracle.acknowledged(uid, cursor('x', uid + 100), 10 * uid + 5);
      oracle.received('one', { uid, size: 1, id: cursor('x', uid + 100), at: 60 });
    }
    oracle.lostWrites(22, 23);
    expect(faults()).toEqual({ doubled: [1] });
    expect(oracle.judge().excused).toBe(1);
  });

  it('names who still waits for an event', () => {
    oracle.client('two', ['b']);
    oracle.cursor('two', 0);
    publish(1, ['a', 'b']);
    expect(oracle.waiting(1)).toEqual(['one', 'two']);
    receive(1);
    oracle.gap('two', { rooms: ['b'], at: 70 });
    expect(oracle.waiting(1)).toEqual([]);
  });

  /** Sent at ten times its position, and accepted five later. */
  function publish(uid: number, rooms: string[], { epoch = 'x' } = {}): void {
    // What is of another epoch was sent when the other was accepted.
    const at = epoch === 'x' ? 10 * uid : 40 + uid;
    oracle.publishing({ uid, rooms, size: 1, at });
    oracle.acknowledged(uid, cursor(epoch, uid), at + 5);
  }

  function receive(uid: number, { epoch = 'x' } = {}): void {
    oracle.received('one', { uid, size: 1, id: cursor(epoch, uid), at: 50 });
  }

  /** The events that something is wrong with, by what it is. */
  function faults(): Record<string, number[]> {
    const verdict = oracle.judge();
    const found = KINDS.map((kind) => [kind, verdict[kind].map(({ uid }) => uid)] as const);
    return Object.fromEntries(found.filter(([, uids]) => uids.length > 0));
  }
});

const KINDS = ['lost', 'doubled', 'disordered', 'foreign'] as const;
