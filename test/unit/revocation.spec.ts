import { describe, expect, it } from '@jest/globals';
import { Registry } from '../../lib/connection/registry.js';
import { decodeRevocation, encodeRevocation } from '../../lib/connection/revocation.js';
import type { SseConnection } from '../../lib/connection/sse-connection.js';

const connection = (data: object): SseConnection => ({ data }) as SseConnection;

describe('a revocation', () => {
  const isMeant = decodeRevocation(encodeRevocation({ user: 'u7', tenant: 3 }));

  it.each([
    ['who has all facts', { user: 'u7', tenant: 3, name: 'Ann' }, true],
    ['nobody who has some of them', { user: 'u7' }, false],
    ['nobody who has another', { user: 'u7', tenant: 4 }, false],
    ['nobody whose fact only looks the same', { user: 'u7', tenant: '3' }, false],
    ['nobody of whom nothing is known', {}, false],
  ])('is about %s', (_who, data, expected) => {
    expect(isMeant(connection(data))).toBe(expected);
  });

  it.each([
    [
      'no facts',
      {},
      'revokeEverywhere(): expected at least one fact, such as { user: 7 }; for all, closeAll(), got an object with no keys',
    ],
    [
      'a text',
      'ann',
      'revokeEverywhere(): expected at least one fact, such as { user: 7 }; for all, closeAll(), got "ann"',
    ],
    [
      'a fact that JSON leaves out',
      { user: undefined },
      'revokeEverywhere().user: expected a text, a number or a boolean, got undefined',
    ],
    [
      'a fact that JSON makes null of',
      { user: NaN },
      'revokeEverywhere().user: expected a text, a number or a boolean, got NaN',
    ],
    [
      'a fact that is no plain value',
      { user: {} },
      'revokeEverywhere().user: expected a text, a number or a boolean, got an object with no keys',
    ],
  ])('of %s is refused', (_what, facts, message) => {
    expect(() => encodeRevocation(facts as never)).toThrow(message);
  });
});

describe('a revocation everywhere', () => {
  it('is refused where no hub has started, as nobody would hear of it', async () => {
    const told = new Registry().revokeEverywhere({ user: 'ann' });
    await expect(told).rejects.toMatchObject({ code: 'SSE_OPTIONS' });
    await expect(told).rejects.toThrow(/has no hub .* revoke\(\)/);
  });
});
