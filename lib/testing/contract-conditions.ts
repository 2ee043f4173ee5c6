import assert from 'node:assert/strict';
import type { Appended, EventLog, NewEvent } from '../log/event-log.js';
import { STATE_DEFAULTS } from '../log/state.options.js';
import { formatCursor } from '../wire/cursor.js';
import {
  cursorOf,
  deleting,
  entriesOf,
  positionsOf,
  ROOMY,
  roomOf,
  setting,
  valuesOf,
  type ContractCase,
  type WithLog,
} from './contract-support.js';

/** Changes of entries that a log refuses: by their condition, or at a limit. */
export function conditionCases(withLog: WithLog): ContractCase[] {
  return [
    [
      'a change whose condition fails says where the entry is, and appends nothing',
      withLog(async (log) => {
        const first = await log.append(setting('a', 'k', 1, { condition: 'absent' }));
        const stale = cursorOf(first);
        const never = { epoch: first.epoch, position: stale.position + 1 };
        await refused(log, setting('a', 'k', 2, { condition: 'absent' }), first);
        await refused(log, setting('a', 'k', 2, { condition: never }), first);
        await refused(log, setting('a', 'k', 2, { condition: { ...stale, epoch: 'x' } }), first);
        await refused(log, deleting('a', 'k', 'absent'), first);
        await refused(log, setting('a', 'none', 2, { condition: stale }), undefined);
        await refused(log, deleting('a', 'none', stale), undefined);
        const second = await log.append(setting('a', 'k', 2, { condition: stale }));
        await refused(log, setting('a', 'k', 3, { condition: stale }), second);
        await refused(log, deleting('a', 'k', stale), second);
        const last = await log.append(deleting('a', 'k', cursorOf(second)));
        await refused(log, setting('a', 'k', 3, { condition: cursorOf(second) }), undefined);
        const nothing = await log.append(deleting('a', 'k', 'absent'));
        assert.equal(nothing.position, undefined);
        const kept = positionsOf(await entriesOf(log, 'a'));
        assert.deepEqual(kept, [first.position, second.position, last.position]);
      }),
    ],
    [
      'of several changes with one condition, one is made',
      withLog(async (log) => {
        const tries = Array.from({ length: 10 }, (_, n) =>
          log.append(setting('a', 'k', n, { condition: 'absent' })),
        );
        const settled = await Promise.allSettled(tries);
        const won = settled.findIndex(({ status }) => status === 'fulfilled');
        assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
        assert.deepEqual(valuesOf(await roomOf(log, 'a')), [['k', won]]);
      }),
    ],
    [
      'a room has at most `maxKeys` entries; one more is refused as a whole',
      withLog(
        async (log) => {
          await log.append(setting('a', 'k', 1));
          await log.append(setting('b', 'k', 1));
          const last = await log.append(setting('a', 'l', 1));
          const { message } = await failure(log, setting('a', 'm', 1));
          assert.match(message, /state\.maxKeys/);
          assert.equal((await log.head()).position, last.position);
          assert.deepEqual((await log.head()).entries, 3);
          assert.equal(await log.entry('a', 'm'), undefined);
          await log.append(setting('a', 'l', 2));
          await log.append(deleting('a', 'k'));
          await log.append(setting('a', 'm', 2));
          const values = valuesOf(await roomOf(log, 'a'));
          assert.deepEqual(values, [
            ['l', 2],
            ['m', 2],
          ]);
        },
        ROOMY,
        { ...STATE_DEFAULTS, maxKeys: 2 },
      ),
    ],
    [
      'all entries take at most `maxBytes`; what does not fit is refused as a whole',
      withLog(
        async (log) => {
          const text = 'x'.repeat(10_000);
          const [first] = [await log.append(setting('a', 'k', text))];
          await log.append(setting('b', 'k', text));
          const { message } = await failure(log, setting('c', 'k', text));
          assert.match(message, /state\.maxBytes/);
          assert.match((await failure(log, setting('a', 'k', text + text))).message, /maxBytes/);
          assert.equal((await log.entry('a', 'k'))?.position, first.position);
          assert.equal(await log.entry('c', 'k'), undefined);
          assert.deepEqual(await entriesOf(log, 'c'), []);
          await log.append(setting('a', 'k', 'small'));
          await log.append(setting('c', 'k', text));
          await log.append(deleting('b', 'k'));
          await log.append(setting('d', 'k', text));
        },
        ROOMY,
        { ...STATE_DEFAULTS, maxBytes: 30_000 },
      ),
    ],
  ];
}

async function failure(log: EventLog, change: NewEvent): Promise<Error & { position?: string }> {
  const error: unknown = await log.append(change).then(
    ({ position }) => assert.fail(`it was appended at ${position}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error);
  return error;
}

/** The change is refused because the entry is at `now`, and nothing is changed. */
async function refused(log: EventLog, change: NewEvent, now: Appended | undefined): Promise<void> {
  const { position: before } = await log.head();
  const error = await failure(log, change);
  assert.equal((error as { code?: string }).code, 'SSE_CONFLICT');
  assert.equal(error.position, now && formatCursor(cursorOf(now)));
  assert.equal((await log.head()).position, before);
  const entry = await log.entry(change.rooms[0] ?? '', change.entry?.key ?? '');
  assert.equal(entry?.position, now?.position);
}
