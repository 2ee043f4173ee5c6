import { describe, expect, it } from '@jest/globals';
import { NEVER, of, throwError } from 'rxjs';
import { Opening, type OpenedStream, type OpeningState } from '../../lib/connection/opening.js';
import { Deferred } from '../../lib/ground/deferred.js';
import { nextTurn } from '../support/recording-response.js';

const REFUSAL = new Error('not for you');

/** An opening, and what its stream was told to do. */
function opening(open = (): void => {}) {
  const calls: string[] = [];
  const stream: OpenedStream = {
    open() {
      if (one.state !== 'waiting') return;
      calls.push('open');
      open();
      one.settle('begun');
    },
    endUnopened() {
      calls.push('end');
      one.settle('abandoned');
    },
    failed: (error) => void calls.push(`failed: ${(error as Error).message}`),
  };
  const one = new Opening(stream, 0);
  return { one, stream, calls };
}

/** What can happen, each by the shortest way. */
const EVENTS = {
  'a turn passes': (one: Opening) => one.beginInTurn(),
  'a message is written': (_one: Opening, stream: OpenedStream) => stream.open(),
  'the source fails': (one: Opening) => void one.refuse(REFUSAL),
  'somebody else answers': (one: Opening) => one.abandon(),
  'the client leaves': (one: Opening) => one.settle('abandoned'),
  'the call is done': (one: Opening) =>
    void one.during(of(1)).subscribe({ error: (error: Error) => void one.refuse(error) }),
  'the call fails': (one: Opening) =>
    void one.during(throwError(() => REFUSAL)).subscribe({ error() {} }),
  'the call is given up': (one: Opening) => one.during(NEVER).subscribe().unsubscribe(),
};
type Event = keyof typeof EVENTS;
const names = Object.keys(EVENTS) as Event[];

describe('a stream that has not begun', () => {
  it.each<[Event, OpeningState, string[], 'resolves' | 'rejects']>([
    ['a turn passes', 'begun', ['open'], 'resolves'],
    ['a message is written', 'begun', ['open'], 'resolves'],
    ['the source fails', 'refused', ['end'], 'rejects'],
    ['somebody else answers', 'abandoned', ['end'], 'resolves'],
    ['the client leaves', 'abandoned', [], 'resolves'],
    ['the call fails', 'abandoned', ['end'], 'resolves'],
    ['the call is given up', 'abandoned', ['end'], 'resolves'],
  ])('when %s: %s', async (event, state, expected, outcome) => {
    const { one, stream, calls } = opening();
    EVENTS[event](one, stream);
    await nextTurn();
    expect([one.state, calls]).toEqual([state, expected]);
    const settled = one.settled.then(
      () => 'resolves',
      (error) => {
        expect(error).toBe(REFUSAL);
        return 'rejects';
      },
    );
    expect(await settled).toBe(outcome);
  });

  it('fails when the call is done: the answer of an interceptor would never be sent', async () => {
    const { one, calls } = opening();
    const errors: unknown[] = [];
    one.during(of(1)).subscribe({ error: (error) => errors.push(error) });
    expect(errors).toMatchObject([{ code: 'SSE_NOT_STREAMABLE' }]);
    expect([one.state, calls]).toEqual(['abandoned', ['end']]);
  });
});

describe('an opening that is over', () => {
  const ways: [Event, OpeningState][] = [
    ['a turn passes', 'begun'],
    ['the source fails', 'refused'],
    ['somebody else answers', 'abandoned'],
  ];
  it.each(ways.flatMap(([way, state]) => names.map((event) => [state, event, way] as const)))(
    'stays %s when %s',
    async (state, event, way) => {
      const { one, stream, calls } = opening();
      EVENTS[way](one, stream);
      await nextTurn();
      calls.length = 0;
      EVENTS[event](one, stream);
      await nextTurn();
      expect([one.state, calls]).toEqual([state, []]);
      expect(one.refuse(REFUSAL)).toBe(false);
    },
  );
});

describe('a stream that is held', () => {
  it('begins a turn after all holds, also those that came meanwhile', async () => {
    const { one } = opening();
    const [first, second, later] = [0, 1, 2].map(() => new Deferred<void>());
    one.hold(first!.promise);
    one.hold(second!.promise);
    one.beginInTurn();
    await nextTurn();
    first!.resolve();
    await nextTurn();
    expect(one.state).toBe('waiting');
    one.hold(later!.promise);
    second!.resolve();
    await nextTurn();
    await nextTurn();
    expect(one.state).toBe('waiting');
    later!.resolve();
    await later!.promise;
    expect(one.state).toBe('waiting');
    await nextTurn();
    await nextTurn();
    expect(one.state).toBe('begun');
  });

  it.each<[Event, OpeningState]>([
    ['a message is written', 'begun'],
    ['the source fails', 'refused'],
    ['somebody else answers', 'abandoned'],
  ])('waits no longer when %s', (event, state) => {
    const { one, stream } = opening();
    one.hold(new Promise(() => {}));
    one.beginInTurn();
    EVENTS[event](one, stream);
    expect(one.state).toBe(state);
  });

  it('gives the source the turn after the hold to fail', async () => {
    const { one, calls } = opening();
    const hold = new Deferred<void>();
    one.hold(hold.promise);
    one.beginInTurn();
    await nextTurn();
    hold.resolve();
    await hold.promise;
    one.refuse(REFUSAL);
    await nextTurn();
    expect([one.state, calls]).toEqual(['refused', ['end']]);
  });

  it('is not held by its patience where that is off', async () => {
    await expect(opening().one.patience()).resolves.toBeUndefined();
  });
});

describe('a head that cannot be written', () => {
  it('refuses the stream', async () => {
    const { one, calls } = opening(() => {
      throw REFUSAL;
    });
    one.beginInTurn();
    await expect(one.settled).rejects.toBe(REFUSAL);
    expect([one.state, calls]).toEqual(['refused', ['open', 'end']]);
  });

  it('ends the stream where it has begun already', async () => {
    const { one, calls } = opening(() => {
      one.settle('begun');
      throw REFUSAL;
    });
    one.beginInTurn();
    await nextTurn();
    expect([one.state, calls]).toEqual(['begun', ['open', 'failed: not for you']]);
  });
});
