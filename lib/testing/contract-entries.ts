import assert from 'node:assert/strict';
import type { Appended } from '../log/event-log.js';
import type { LoggedEvent } from '../log/event.js';
import { readWhileChanging } from './contract-changes.js';
import {
  appendAll,
  deleting,
  entriesOf,
  event,
  listening,
  positionsOf,
  ROOMY,
  roomOf,
  setting,
  stateOf,
  until,
  valuesOf,
  type ContractCase,
  type WithLog,
} from './contract-support.js';

/** The entries of rooms: changes and reads. */
export function entryCases(withLog: WithLog): ContractCase[] {
  return [
    [
      'an entry is the newest event that set its key, until it is deleted',
      withLog(async (log) => {
        assert.equal(await log.entries('a'), undefined);
        assert.equal(await log.entry('a', 'k'), undefined);
        await log.append(setting('a', 'k', 'old'));
        await log.append(setting('b', 'k', 'of another room'));
        const newest = setting('a', 'k', { text: 'ä✓\nb' });
        const { epoch, position } = await log.append(newest);
        const entry = await log.entry('a', 'k');
        assert.deepEqual([entry?.epoch, entry?.position], [epoch, position]);
        assert.deepEqual([entry?.rooms, entry?.body], [['a'], newest.body]);
        assert.deepEqual(entry?.message, newest.message);
        assert.deepEqual(valuesOf(await roomOf(log, 'a')), [['k', { text: 'ä✓\nb' }]]);
        await log.append(deleting('a', 'k'));
        assert.equal(await log.entry('a', 'k'), undefined);
        assert.deepEqual((await roomOf(log, 'a')).events, []);
        assert.deepEqual(valuesOf(await roomOf(log, 'b')), [['k', 'of another room']]);
      }),
    ],
    [
      'a change of an entry is an event like any other, also for followers',
      withLog(async (log) => {
        const seen: LoggedEvent[] = [];
        const done = until(seen, 4);
        await log.follow(listening(done.add));
        const changes = [setting('a', 'k', 1), event(['a']), setting('a', 'k', 2)];
        const appended: Appended[] = [];
        for (const change of [...changes, deleting('a', 'k')]) {
          appended.push(await log.append(change));
        }
        await done.promise;
        const positions = appended.map(({ position }) => position);
        assert.deepEqual(
          seen.map(({ position }) => position),
          positions,
        );
        assert.deepEqual(
          seen.map(({ message }) => message.type),
          ['set', 'test', 'set', 'delete'],
        );
        assert.deepEqual(positionsOf(await entriesOf(log, 'a')), positions);
      }),
    ],
    [
      'the deletion of an entry that is not there appends nothing',
      withLog(async (log) => {
        const { position: start } = await log.head();
        assert.equal((await log.append(deleting('a', 'k'))).position, undefined);
        const set = await log.append(setting('a', 'k', 1));
        assert.equal((await log.append(deleting('a', 'other'))).position, undefined);
        assert.equal((await log.head()).position, set.position);
        assert.deepEqual(positionsOf(await entriesOf(log, 'a', { after: start })), [set.position]);
      }),
    ],
    [
      'entries outlive the history of their room',
      withLog(
        async (log) => {
          const set = await log.append(setting('a', 'k', 1));
          await appendAll(log, 10, (n) => (n % 2 === 0 ? ['a'] : ['b']));
          assert.equal((await entriesOf(log, 'a')).length, 2);
          assert.equal((await log.entry('a', 'k'))?.position, set.position);
          assert.deepEqual(valuesOf(await roomOf(log, 'a')), [['k', 1]]);
        },
        { ...ROOMY, maxEvents: 2 },
      ),
    ],
    [
      'entries are read by ascending position, whatever their keys mean to a language',
      withLog(async (log) => {
        const keys = ['b', 'a', '__proto__', '10', '9', 'constructor', 'ä✓', 'a b\n', '{a}'];
        for (const key of keys) await log.append(setting('r', key, 1));
        await log.append(setting('r', 'b', 2));
        const read = await roomOf(log, 'r');
        assert.deepEqual(valuesOf(read), [...keys.slice(1).map((key) => [key, 1]), ['b', 2]]);
        assert.equal(read.position, (await log.head()).position);
        for (const key of keys) assert.ok((await log.entry('r', key)) !== undefined, key);
      }),
    ],
    [
      'entries are read at one moment, while they change',
      withLog(async (log) => readWhileChanging(log)),
    ],
    [
      'a room knows its newest event that changed no entry',
      withLog(async (log) => {
        const [plain] = await appendAll(log, 1, () => ['a', 'b']);
        assert.equal(await log.entries('a'), undefined);
        await log.append(setting('a', 'k', 1));
        const { position: start = 0 } = await log.append(setting('c', 'k', 1));
        const plainOf = async (room: string) => {
          const { hasPlain, lastPlain } = await roomOf(log, room);
          return [hasPlain, lastPlain];
        };
        assert.deepEqual(await plainOf('a'), [true, plain?.position]);
        const [has, last] = await plainOf('c');
        assert.equal(has, false);
        assert.ok(Number(last) < start, `expected ${last} to be before the first change`);
        const [later] = await appendAll(log, 1, () => ['b', 'c']);
        assert.deepEqual(await plainOf('c'), [true, later?.position]);
        await log.append(setting('a', 'k', 2));
        assert.deepEqual(await plainOf('a'), [true, plain?.position]);
        await log.append(deleting('a', 'k'));
        const [newest] = await appendAll(log, 1, () => ['a']);
        assert.deepEqual(await plainOf('a'), [true, newest?.position]);
        await log.append({ ...event(['a']), ephemeral: true });
        assert.deepEqual(await plainOf('a'), [true, newest?.position]);
        assert.equal(await log.entries('b'), undefined);
      }),
    ],
    [
      'the head counts entries, as soon as there has been one',
      withLog(async (log) => {
        const count = async (): Promise<number | undefined> => (await log.head()).entries;
        await appendAll(log, 2, () => ['a']);
        await log.append(deleting('a', 'k'));
        assert.equal(await count(), undefined);
        await log.append(setting('a', 'k', 1));
        await log.append(setting('b', 'k', 1));
        await log.append(setting('b', 'k', 2));
        assert.equal(await count(), 2);
        await log.append(deleting('a', 'k'));
        await log.append(deleting('b', 'k'));
        assert.equal(await count(), 0);
      }),
    ],
    [
      'a change with an idempotency key is made once',
      withLog(async (log) => {
        const first = await log.append({ ...setting('a', 'k', 1), key: 'once' });
        const second = await log.append(setting('a', 'k', 2));
        const again = await log.append({ ...setting('a', 'k', 1), key: 'once' });
        assert.equal(again.position, first.position);
        assert.equal((await log.entry('a', 'k'))?.position, second.position);
        assert.equal((await stateOf(log, 'a')).last, second.position);
      }),
    ],
  ];
}
