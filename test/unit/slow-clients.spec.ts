import { describe, expect, it } from '@jest/globals';
import { formatCursor } from '../../lib/cursor.js';
import { SlowClients } from '../../lib/slow-clients.js';

const at = (position: number, epoch = 'e'): string => formatCursor({ epoch, position });
const MINUTE = 60_000;

/** Cut `times` times, a minute apart; each time it came back with where it had stopped. */
function cutOften(times: number): SlowClients {
  const slow = new SlowClients();
  for (let n = 0; n < times; n++) {
    slow.cut('here', n === 0 ? undefined : at(n * 10), at((n + 1) * 10 + 5), n * MINUTE);
  }
  return slow;
}

describe('a client that was cut for slowness', () => {
  it('is known after the third time within five minutes', () => {
    expect(cutOften(2).isOften('here', at(25), 2 * MINUTE)).toBe(false);
    expect(cutOften(3).isOften('here', at(35), 3 * MINUTE)).toBe(true);
    expect(cutOften(9).isOften('here', at(95), 9 * MINUTE)).toBe(true);
  });

  it('is forgotten five minutes after the first of the three', () => {
    expect(cutOften(3).isOften('here', at(35), 5 * MINUTE - 1)).toBe(true);
    expect(cutOften(3).isOften('here', at(35), 5 * MINUTE)).toBe(false);
  });

  it.each([
    ['elsewhere', 'there', at(35)],
    ['that is further', 'here', at(36)],
    ['that has not come as far', 'here', at(19)],
    ['of another log', 'here', at(35, 'f')],
    ['without a cursor', 'here', undefined],
    ['with an id of the app', 'here', '35'],
  ])('is not taken for a client %s', (_title, place, cursor) => {
    expect(cutOften(3).isOften(place, cursor, 3 * MINUTE)).toBe(false);
  });

  it('costs nothing for long: places are forgotten', () => {
    const slow = new SlowClients();
    for (let n = 0; n < 50_000; n++) slow.cut(`place ${n}`, undefined, at(1), n);
    expect((slow as unknown as { cuts: Map<string, unknown> }).cuts.size).toBeLessThanOrEqual(
      10_000,
    );
  });
});
