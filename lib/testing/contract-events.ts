import assert from 'node:assert/strict';
import {
  appendAll,
  ALL,
  entriesOf,
  event,
  listening,
  positionsOf,
  stateOf,
  until,
  type ContractCase,
  type WithLog,
} from './contract-support.js';
import { encodeBody } from '../wire/frame.js';
import type { LoggedEvent } from '../log/event.js';

/** What is appended, and what followers get. */
export function eventCases(withLog: WithLog): ContractCase[] {
  return [
    [
      'positions increase strictly over all rooms',
      withLog(async (log) => {
        const { position: start } = await log.head();
        const events = await appendAll(log, 200, (n) => [`room ${n % 3}`]);
        const positions = events.map(({ position }) => position ?? Number.NaN);
        const increasing = positions.every((position, n) => position > (positions[n - 1] ?? start));
        assert.ok(
          increasing,
          `expected increasing positions after ${start}, got ${positions.join()}`,
        );
        assert.ok(positions.every(Number.isSafeInteger), 'expected whole positions');
        assert.equal((await log.head()).position, positions.at(-1));
      }),
    ],
    [
      'an epoch is a name for cursors, the same for head, events and follower',
      withLog(async (log) => {
        const { epoch } = await log.follow(listening(() => {}));
        assert.match(epoch, /^[\w-]{1,11}$/);
        assert.equal((await log.append(event(['a']))).epoch, epoch);
        assert.equal((await log.head()).epoch, epoch);
      }),
    ],
    [
      'a head that says where its epoch began names the position before its first event',
      withLog(async (log) => {
        const { begin, position } = await log.head();
        if (begin === undefined) return;
        assert.equal(begin, position);
        await appendAll(log, 3, () => ['a']);
        assert.equal((await log.head()).begin, position);
      }),
    ],
    [
      'an event is in each of its rooms, with the position of the one before it there',
      withLog(async (log) => {
        const rooms = [['a'], ['a', 'b'], ['b'], ['c', 'a']];
        const { position: start } = await log.head();
        const appended = await appendAll(log, rooms.length, (n) => rooms[n] ?? []);
        for (const room of ['a', 'b', 'c']) {
          const { entries, last } = await stateOf(log, room);
          const expected = appended.filter((_, n) => rooms[n]?.includes(room));
          const positions = positionsOf(entries);
          assert.deepEqual(
            positions,
            expected.map(({ position }) => position),
          );
          const [first, ...previous] = entries.map((entry) => entry.previous);
          assert.ok((first ?? Infinity) <= start, 'the first event of a room follows none of it');
          assert.deepEqual(previous, positions.slice(0, -1));
          assert.equal(last, positionsOf(entries).at(-1));
        }
        assert.deepEqual(await entriesOf(log, 'none'), []);
      }),
    ],
    [
      'what is read of an event is what was appended',
      withLog(async (log) => {
        const message = { type: 'order', data: { no: 7, text: 'ä✓\nb' }, retry: 5, comment: ['c'] };
        const body = encodeBody(message);
        await log.append({ rooms: ['a', 'b'], message, body, except: 'tab 1' });
        const [entry] = await entriesOf(log, 'a');
        assert.deepEqual(entry?.event.message, message);
        assert.equal(entry?.event.body, body);
        assert.equal(entry?.event.except, 'tab 1');
        assert.deepEqual(entry?.event.rooms, ['a', 'b']);
      }),
    ],
    [
      'a follower gets exactly what comes after the head it was answered, once and in order',
      withLog(async (log) => {
        await appendAll(log, 3, () => ['a']);
        const seen: LoggedEvent[] = [];
        const done = until(seen, 50);
        const { position } = await log.follow(listening(done.add));
        const appended = await appendAll(log, 50, (n) => (n % 2 === 0 ? ['a'] : ['a', 'b']));
        await done.promise;
        assert.deepEqual(
          seen.map((logged) => logged.position),
          appended.map((logged) => logged.position),
        );
        assert.ok(seen.every((logged) => (logged.position ?? 0) > position));
      }),
    ],
    [
      'an ephemeral event is handed on in its place, without a position, and not kept',
      withLog(async (log) => {
        const seen: LoggedEvent[] = [];
        const done = until(seen, 3);
        await log.follow(listening(done.add));
        const first = await log.append(event(['a']));
        const passing = await log.append({ ...event(['a']), ephemeral: true });
        const second = await log.append(event(['a']));
        await done.promise;
        assert.equal(passing.position, undefined);
        const expected = [first, passing, second].map(({ position }) => position);
        assert.deepEqual(
          seen.map(({ position }) => position),
          expected,
        );
        const kept = await entriesOf(log, 'a');
        assert.deepEqual(positionsOf(kept), [first.position, second.position]);
      }),
    ],
    [
      'a second event with the same key is answered as the first and not appended',
      withLog(async (log) => {
        const first = await log.append({ ...event(['a']), key: 'k' });
        const other = await log.append({ ...event(['a']), key: 'other' });
        const again = await log.append({ ...event(['a']), key: 'k' });
        assert.equal(again.position, first.position);
        const kept = await entriesOf(log, 'a');
        assert.deepEqual(positionsOf(kept), [first.position, other.position]);
      }),
    ],
    [
      'room names are data: also those that mean something to a language or a protocol',
      withLog(async (log) => {
        const names = ['__proto__', 'constructor', 'a b', '{a}', 'ä✓', '*', ':', 'a\'b"c\n', ' '];
        for (const name of names) await log.append(event([name]));
        for (const name of names) {
          const entries = await entriesOf(log, name);
          assert.deepEqual(
            entries.map((entry) => entry.event.rooms),
            [[name]],
          );
        }
      }),
    ],
    [
      'after close every call rejects with SSE_CLOSED, and the follower is not called',
      withLog(async (log) => {
        const seen: LoggedEvent[] = [];
        await log.follow(listening((logged) => seen.push(logged)));
        await log.close();
        await log.close();
        for (const call of [
          () => log.append(event(['a'])),
          () => log.head(),
          () => log.read(['a'], ALL),
          () => log.entries('a'),
          () => log.entry('a', 'key'),
        ]) {
          await assert.rejects(call, { code: 'SSE_CLOSED' });
        }
        assert.deepEqual(seen, []);
      }),
    ],
  ];
}
