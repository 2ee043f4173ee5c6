import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClientCursor, type CursorSource } from '../../lib/connection/client-cursor.js';
import { InFlight } from '../../lib/hub/in-flight.js';
import { HubEvent } from '../../lib/log/event.js';
import { formatCursor } from '../../lib/wire/cursor.js';
import { encodeBody } from '../../lib/wire/frame.js';

const idAt = (position: number, epoch = 'e'): string => formatCursor({ epoch, position });

/**
 * A stream of a hub's log, whose events are inside the handler's operators from `enter()` until
 * they come out.
 */
class Reader implements CursorSource {
  private readonly inFlight = new InFlight();
  private reached = 0;
  isLive = true;

  constructor(
    readonly rooms: readonly string[],
    private readonly epoch = 'e',
  ) {}

  enter(...positions: number[]): this {
    const message = { type: 'n', data: 1 };
    for (const position of positions) {
      const facts = { epoch: this.epoch, position, rooms: this.rooms, message };
      this.inFlight.enter(new HubEvent({ ...facts, body: encodeBody(message) }));
      this.reached = position;
    }
    return this;
  }
  get position() {
    return this.inFlight.position(this.epoch, this.reached, !this.isLive);
  }
  knowsEpoch(epoch: string): boolean {
    return epoch === this.epoch;
  }
  holds(id: string): boolean {
    return this.inFlight.holds(id);
  }
  cameOut(id: string): void {
    this.inFlight.cameOut(id);
  }
}

/** What a stream is to the client's cursor where the handler keeps the last event ID to itself. */
const unplaced: CursorSource = {
  rooms: ['unplaced'],
  position: undefined,
  knowsEpoch: () => false,
  holds: () => false,
  cameOut() {},
};

function cursorOf(...sources: CursorSource[]): ClientCursor {
  const cursor = new ClientCursor();
  for (const source of sources) cursor.track(source);
  return cursor;
}

/** One reader of each epoch, each with one event under way. */
function readers(...epochs: string[]): Reader[] {
  return epochs.map((epoch, n) => new Reader([`room ${n}`], epoch).enter(n + 1));
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('where a client stands', () => {
  it.each<[string, () => CursorSource[], string | undefined]>([
    ['no stream: nowhere', () => [], undefined],
    ['a stream without a position: nowhere', () => [unplaced], undefined],
    [
      'a stream whose first event is under way: nowhere yet',
      () => [new Reader(['a']).enter(5)],
      undefined,
    ],
    [
      'a stream that is past its events: at the last of them',
      () => {
        const reader = new Reader(['a']).enter(5);
        reader.cameOut(idAt(5));
        return [reader];
      },
      idAt(5),
    ],
    [
      'an event that is held back: at the one before it',
      () => {
        const reader = new Reader(['a']).enter(5, 6, 7);
        reader.cameOut(idAt(5));
        return [reader];
      },
      idAt(5),
    ],
    [
      'two hubs: at both',
      () => {
        const both = readers('e', 'f');
        both.forEach((reader, n) => reader.cameOut(idAt(n + 1, n === 0 ? 'e' : 'f')));
        return both;
      },
      `${idAt(1)}~${idAt(2, 'f')}`,
    ],
    [
      'two hubs, one of which has sent nothing: at the other',
      () => {
        const both = readers('e', 'f');
        both[1]!.cameOut(idAt(2, 'f'));
        return both;
      },
      idAt(2, 'f'),
    ],
  ])('with %s', (_title, sources, text) => {
    expect(cursorOf(...sources()).text).toBe(text);
  });

  it('is no longer in a stream that has ended', () => {
    const reader = new Reader(['a']).enter(5);
    const cursor = cursorOf(reader);
    cursor.idOf(idAt(5));
    expect(cursor.text).toBe(idAt(5));
    cursor.untrack(reader);
    expect([cursor.text, cursor.rooms, cursor.roomCount]).toEqual([undefined, [], 0]);
  });
});

describe('the rooms of a client', () => {
  it('are those of all its streams, each once; the count is of what the streams read', () => {
    const cursor = cursorOf(new Reader(['a', 'b']), new Reader(['b', 'c'], 'f'), unplaced);
    expect(cursor.rooms).toEqual(['a', 'b', 'c', 'unplaced']);
    expect(cursor.roomCount).toBe(5);
    expect(cursor.roomsReadOf(['d', 'c', 'a'])).toEqual(['c', 'a']);
    const all = ['c', 'a'];
    expect(cursor.roomsReadOf(all)).toBe(all);
  });

  it('are of five streams with a position at most, and of any number without', () => {
    const cursor = cursorOf(...readers('a', 'b', 'c', 'd', 'e'), unplaced, unplaced);
    expect(() => cursor.track(new Reader(['more'], 'f'))).toThrow(
      'maxHubStreams is 5: a connection cannot read more hub streams; open one stream with several rooms instead',
    );
    expect(cursor.roomsReadOf(['more'])).toEqual([]);
    cursor.track(unplaced);
    expect(cursor.roomCount).toBe(8);
  });

  it.each<[string, [number, string[]][], boolean[]]>([
    ['a room for the first time, and again', [[0, ['a']], [0, ['a']]], [true, false]],
    ['another room of the hub', [[0, ['a']], [0, ['b']]], [true, true]],
    ['the same room of another hub', [[0, ['a']], [1, ['a']]], [true, true]],
    ['a room among new ones, and then those', [[0, ['a']], [0, ['a', 'b']], [0, ['b']]], [true, false, false]],
  ])('begin at the last event ID of the client once: %s', (_title, claims, first) => {
    const cursor = new ClientCursor();
    const hubs = [{}, {}];
    expect(claims.map(([hub, rooms]) => cursor.claim(hubs[hub]!, rooms))).toEqual(first);
  }); // prettier-ignore
});

describe('the id of a message', () => {
  it('is the one of the event where there is one stream, which moves on with it', () => {
    const reader = new Reader(['a']).enter(5, 6);
    const cursor = cursorOf(reader);
    expect(cursor.idOf(idAt(5))).toBe(idAt(5));
    expect(cursor.text).toBe(idAt(5));
    expect(cursor.idOf(idAt(6))).toBe(idAt(6));
    expect(cursor.text).toBe(idAt(6));
  });

  it('says where the client stands in all hubs where there are several', () => {
    const cursor = cursorOf(...readers('e', 'f'));
    expect(cursor.idOf(idAt(1))).toBe(idAt(1));
    expect(cursor.idOf(idAt(2, 'f'))).toBe(`${idAt(1)}~${idAt(2, 'f')}`);
  });

  it('does not pass an event that two streams of one hub hold: which let it out cannot be seen', () => {
    const cursor = cursorOf(new Reader(['a']).enter(5), new Reader(['b']).enter(5));
    // Each of the two writes it.
    for (let n = 0; n < 2; n++) expect(cursor.idOf(idAt(5))).toBeUndefined();
    expect(cursor.text).toBeUndefined();
  });

  it('is none where the message has none', () => {
    const cursor = cursorOf(...readers('e', 'f'));
    expect(cursor.idOf(undefined)).toBeUndefined();
    expect(cursor.idOf(idAt(1))).toBe(idAt(1));
  });

  it.each(['order 7', 7, '1.2.3'])(
    'is the handler’s own, such as %j, and from then on the client has no cursor of ours',
    (own) => {
      const reader = new Reader(['a']).enter(5, 6);
      const cursor = cursorOf(reader);
      cursor.idOf(idAt(5));
      expect(cursor.idOf(own)).toBe(own);
      expect(cursor.text).toBeUndefined();
      expect(cursor.idOf(idAt(6))).toBe(idAt(6));
      expect(cursor.text).toBeUndefined();
    },
  );

  it('may be a cursor that the handler has from the hub: that is no id of its own', () => {
    const cursor = cursorOf(new Reader(['a']).enter(5));
    cursor.idOf(idAt(5));
    expect(cursor.idOf(idAt(3))).toBe(idAt(3));
    expect(cursor.text).toBe(idAt(5));
  });

  it('is warned of where a cursor goes to a client that reads no hub, as in a stream that clients share', () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const ended = new Reader(['a']);
    const reading = cursorOf(ended);
    reading.untrack(ended);
    expect(reading.idOf(idAt(5))).toBe(idAt(5));
    expect(new ClientCursor().idOf('order 7')).toBe('order 7');
    expect(warn).not.toHaveBeenCalled();
    expect(new ClientCursor().idOf(idAt(5))).toBe(idAt(5));
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

describe('the mark of a slow client', () => {
  it('is drawn once, and is in the cursors between events', () => {
    const cursor = cursorOf(new Reader(['a']).enter(5));
    cursor.idOf(idAt(5));
    expect(cursor.mark).toBeUndefined();
    const mark = cursor.giveMark();
    expect(mark).toMatch(/^[\w-]{8}$/);
    expect([cursor.giveMark(), cursor.mark]).toEqual([mark, mark]);
    expect(cursor.text).toBe(`${idAt(5)}~s.${mark}`);
    expect(new ClientCursor().giveMark()).not.toBe(mark);
  });

  it.each<[string, boolean, (id: string) => string]>([
    ['known here is in all its ids', true, (id) => `${id}~s.aBcDeF-_`],
    ['unknown here is in none of its events', false, (id) => id],
  ])('that a client brings and that is %s', (_title, isKnown, written) => {
    const cursor = new ClientCursor();
    cursor.keepMark('aBcDeF-_', isKnown);
    for (const reader of readers('e')) cursor.track(reader);
    expect(cursor.idOf(idAt(1))).toBe(written(idAt(1)));
    expect(cursor.text).toBe(`${idAt(1)}~s.aBcDeF-_`);
    // One with the mark already gets it no second time.
    expect(cursor.markable(idAt(1))).toBe(isKnown ? undefined : idAt(1));
  });

  it('is for ids of the streams alone', () => {
    const cursor = cursorOf(new Reader(['a']).enter(5));
    expect(
      [idAt(5), idAt(5, 'f'), 'order 7', 7, undefined].map((id) => cursor.markable(id)),
    ).toEqual([idAt(5), undefined, undefined, undefined, undefined]);
    cursor.idOf('order 7');
    expect(cursor.markable(idAt(5))).toBeUndefined();
  });

  it('is not in an id of the handler', () => {
    const cursor = new ClientCursor();
    cursor.keepMark('aBcDeF-_', true);
    cursor.track(new Reader(['a']).enter(5));
    expect(cursor.idOf('order 7')).toBe('order 7');
  });
});
