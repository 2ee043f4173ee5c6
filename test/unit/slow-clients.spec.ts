import { describe, expect, it } from '@jest/globals';
import { SlowClients } from '../../lib/connection/slow-clients.js';

const MINUTE = 60_000;

/** The client `slow` was cut `times` times, a minute apart. */
function cutOften(times: number): SlowClients {
  const clients = new SlowClients();
  for (let n = 0; n < times; n++) clients.cut('slow', n * MINUTE);
  return clients;
}

describe('a client that was cut for slowness', () => {
  it('is known by its mark after the third time within five minutes', () => {
    expect(cutOften(2).isOften('slow', 2 * MINUTE)).toBe(false);
    expect(cutOften(3).isOften('slow', 3 * MINUTE)).toBe(true);
    expect(cutOften(9).isOften('slow', 9 * MINUTE)).toBe(true);
  });

  it('is forgotten five minutes after the first of the three', () => {
    expect(cutOften(3).isOften('slow', 5 * MINUTE - 1)).toBe(true);
    expect(cutOften(3).isOften('slow', 5 * MINUTE)).toBe(false);
  });

  it('is known to be slow from the first time on, for five minutes', () => {
    expect(new SlowClients().knows('slow', 0)).toBe(false);
    expect(cutOften(1).knows('slow', 5 * MINUTE - 1)).toBe(true);
    expect(cutOften(1).knows('slow', 5 * MINUTE)).toBe(false);
  });

  it('is not taken for a client with another mark', () => {
    expect(cutOften(3).isOften('other', 3 * MINUTE)).toBe(false);
    expect(cutOften(3).knows('other', 3 * MINUTE)).toBe(false);
  });

  it('costs little: of more than 10 000, those that were cut long ago are forgotten', () => {
    const clients = cutOften(3);
    for (let n = 0; n < 20_000; n++) clients.cut(`mark ${n}`, 3 * MINUTE);
    expect(clients.size).toBe(10_000);
    expect(clients.knows('slow', 3 * MINUTE)).toBe(false);
    expect(clients.knows('mark 19999', 3 * MINUTE)).toBe(true);
  });

  it('costs nothing for long: after five minutes it is forgotten with the next cut', () => {
    const clients = cutOften(3);
    clients.cut('other', 7 * MINUTE);
    expect(clients.size).toBe(1);
  });
});
